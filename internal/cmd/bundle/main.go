// Command bundle makes the page: it writes web/src/wire.ts, the protocol's types, from the Go package at the module's
// root, and bundles web/src into web/dist, which is committed and embedded. Run it in the module's folder after
// changing either; it needs the packages of web/package-lock.json (run npm ci in web), but no Node.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

// run writes everything that is generated, below the module's folder.
func run(module string) error {
	types, err := wireTypes(module)
	if err != nil {
		return err
	}
	web := filepath.Join(module, "web")
	if err := os.WriteFile(filepath.Join(web, "src", wireFile), types, 0o644); err != nil {
		return err
	}
	files, err := bundle(web)
	if err != nil {
		return err
	}
	dist := filepath.Join(web, "dist")
	if err := os.RemoveAll(dist); err != nil {
		return err
	}
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dist, name), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}
