package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// commandPage is what completion and manual say of a command, taken from kong's model.
type commandPage struct {
	path  string // "user add"; "" for switchboard itself
	help  string
	more  string // the long help
	usage string
	subs  []*kong.Node
	flags []*kong.Flag
	files bool // its argument is a file
}

// pages returns the commands that are shown, each before its own.
func pages(model *kong.Application) []commandPage {
	var out []commandPage
	var walk func(n *kong.Node, path string, inherited []*kong.Flag)
	walk = func(n *kong.Node, path string, inherited []*kong.Flag) {
		c := commandPage{path: path, help: n.Help, more: n.Detail, usage: n.Summary()}
		for _, f := range slices.Concat(n.Flags, inherited) {
			if !f.Hidden {
				c.flags = append(c.flags, f)
			}
		}
		for _, a := range n.Positional {
			c.files = c.files || a.Tag.Has("file")
		}
		for _, sub := range n.Children {
			if sub.Type == kong.CommandNode && !sub.Hidden {
				c.subs = append(c.subs, sub)
			}
		}
		out = append(out, c)
		for _, sub := range c.subs {
			walk(sub, strings.TrimSpace(path+" "+sub.Name), slices.Concat(n.Flags, inherited))
		}
	}
	walk(model.Node, "", nil)
	return out
}

// values returns what a flag may be, if that is a short list.
func values(f *kong.Flag) []string {
	if f.Enum == "" {
		return nil
	}
	return f.EnumSlice()
}

// isFile reports whether a flag names a file or folder.
func isFile(f *kong.Flag) bool {
	return f.Tag != nil && (f.Tag.Type == "path" || f.Tag.Type == "existingfile")
}
