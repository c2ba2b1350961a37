package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// errNoPackages says that the page's libraries are not here.
var errNoPackages = errors.New("web/node_modules is missing: run npm ci in web")

// library is what the bundle holds of other people: its licence goes with it.
const library = "preact"

// copied are the files of src that are served as they are.
var copied = []string{"index.html", "icon.svg"}

// bundle returns the files of web/dist by name. The same sources always give the same bytes.
func bundle(web string) (map[string][]byte, error) {
	web, err := filepath.Abs(web)
	if err != nil {
		return nil, err
	}
	licence, err := os.ReadFile(filepath.Join(web, "node_modules", library, "LICENSE"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNoPackages
	} else if err != nil {
		return nil, err
	}
	banner := "/* " + library + ":\n" + strings.TrimSpace(string(licence)) + "\n*/"
	if strings.Count(banner, "*/") > 1 {
		return nil, fmt.Errorf("the licence of %s cannot be a comment", library)
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir: web,
		EntryPoints:   []string{"src/app.tsx", "src/style.css"},
		Bundle:        true,
		Outdir:        "dist",
		Format:        api.FormatESModule,
		Target:        api.ES2022,
		Charset:       api.CharsetUTF8,
		JSX:           api.JSXAutomatic, JSXImportSource: library,
		MinifySyntax: true, MinifyWhitespace: true, MinifyIdentifiers: true,
		Banner:    map[string]string{"js": banner},
		Tsconfig:  "tsconfig.json",
		LogLevel:  api.LogLevelSilent,
		LineLimit: 500, // so that a change is a change of some lines
	})
	if len(result.Errors) > 0 {
		all := api.FormatMessages(result.Errors, api.FormatMessagesOptions{})
		return nil, errors.New(strings.TrimSpace(strings.Join(all, "")))
	}
	files := map[string][]byte{}
	for _, f := range result.OutputFiles {
		files[filepath.Base(f.Path)] = f.Contents
	}
	for _, name := range copied {
		if files[name], err = os.ReadFile(filepath.Join(web, "src", name)); err != nil {
			return nil, err
		}
	}
	return files, nil
}
