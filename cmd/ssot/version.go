package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"github.com/netra-systems/switchboard/internal/ssot"
)

// version answers `-V=full`, by which go vet asks once a run for what its kept results depend on besides the code: this
// program, and each ssot.yaml that may be followed. So a changed file makes them void.
//
// A file that cannot be used, or that names what is not there, ends the run here, with one message instead of one for
// each package.
func version(out, errs io.Writer) int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(errs, "ssot:", err)
		return unusable
	}
	h := sha256.New()
	files, err := configs(".")
	if err == nil {
		err = add(h, self)
	}
	for _, file := range files {
		if err == nil {
			err = add(h, file)
		}
	}
	if err != nil {
		fmt.Fprintln(errs, "ssot:", err)
		return unusable
	}
	code := clean
	for _, file := range files {
		if bad := check(file, errs); bad > code {
			code = bad
		}
	}
	if code == clean {
		fmt.Fprintf(out, "%s version devel ssot buildID=%02x\n", self, h.Sum(nil))
	}
	return code
}

func add(h io.Writer, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(h, f)
	return err
}

// check writes what is wrong with a file.
func check(file string, errs io.Writer) int {
	m, err := ssot.FindModule(filepath.Dir(file))
	if err != nil {
		fmt.Fprintln(errs, "ssot:", err)
		return unusable
	}
	c, err := ssot.Load(file, m)
	if err != nil {
		fmt.Fprintln(errs, err)
		return unusable
	}
	findings := c.Check()
	for _, f := range findings {
		fmt.Fprintln(errs, f)
	}
	if len(findings) > 0 {
		return found
	}
	return clean
}

// configs returns the files of the module that a folder is in, and of the modules of its workspace.
func configs(dir string) ([]string, error) {
	var out []string
	add := func(dir string) error {
		file, _, err := ssot.Find(dir)
		if err == nil && file != "" {
			out = append(out, file)
		}
		return err
	}
	if err := add(dir); err != nil {
		return nil, err
	}
	work, err := workspace(dir)
	if err != nil || work == "" {
		return out, err
	}
	data, err := os.ReadFile(work)
	if err != nil {
		return nil, err
	}
	w, err := modfile.ParseWork(work, data, nil)
	if err != nil {
		return nil, err
	}
	for _, use := range w.Use {
		at := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(at) {
			at = filepath.Join(filepath.Dir(work), at)
		}
		if err := add(at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// workspace returns the go.work that go uses in a folder; "" if there is none.
func workspace(dir string) (string, error) {
	switch w := os.Getenv("GOWORK"); w {
	case "":
	case "off":
		return "", nil
	default:
		return w, nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		file := filepath.Join(dir, "go.work")
		if _, err := os.Stat(file); err == nil {
			return file, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", nil
		}
		dir = up
	}
}
