package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Document returns docs/CONFIG.md: every key, its type, its default and what it means.
func Document() string {
	var b strings.Builder
	b.WriteString(preface)
	for _, f := range fieldsOf(reflect.TypeFor[Config](), 0) {
		switch f.shape {
		case entries, section:
			fmt.Fprintf(&b, "\n## `%s`\n\n%s\n\n", f.key, escaped(f.doc))
			rows(&b, f, "")
		default:
			fmt.Fprintf(&b, "\n## `%s`\n\n%s\n\n", f.key, escaped(f.doc))
			fmt.Fprintf(&b, "%s. Default: %s.\n", upper(f.describe()), usual(f))
		}
	}
	return b.String()
}

const preface = `# Configuration

<!-- Made from the fields of config.Config: go test ./config -run Document -update -->

` + "`switchboard serve --config FILE`" + ` (or the variable SWITCHBOARD_CONFIG) reads models, agents, tools and limits from a
YAML file. Without one there is one agent, as the flags say. A flag comes before a variable, a variable before the file, the
file before the defaults; a file with models of its own and --model contradict each other, and are refused together.

- ` + "`switchboard config check FILE`" + ` tells everything that is wrong with a file, with line and column; exit code 2.
- ` + "`switchboard config print-default`" + ` prints a file with every key and comment, which changes nothing.
- ` + "`switchboard config schema`" + ` prints a JSON Schema, for editors: with the YAML language server, a first line
  ` + "`# yaml-language-server: $schema=switchboard.schema.json`" + ` completes and checks as you type.

The file is read strictly: unknown keys, wrong types, keys that are there twice and names of nothing are errors. Anchors and
aliases are not read, and a file has at most 1 MiB.

**Variables.** A text may hold ` + "`${NAME}`" + `, or ` + "`${NAME:-TEXT}`" + ` for a variable that may be missing or empty; a
dollar is ` + "`$$`" + `. They are filled in after the file has been read, so nothing in them can become a key, and nothing of
them is told by an error or by ` + "`config check`" + `.

[examples](../examples) has small files to begin with.
`

// rows writes the table of a section, those of sections inside among them.
func rows(b *strings.Builder, f field, prefix string) {
	if prefix == "" {
		b.WriteString("| key | | default | |\n|---|---|---|---|\n")
	}
	for _, one := range fieldsOf(f.typ, f.least) {
		words := escaped(one.doc)
		if rule := one.rule(); rule != "" {
			words += " " + rule
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, one.key, one.describe(), usual(one), words)
		if one.shape == section {
			rows(b, one, prefix+one.key+".")
		}
	}
}

// rule says in words what a key demands of others.
func (f field) rule() string {
	var out []string
	if on, values := f.condition(); on != "" {
		out = append(out, fmt.Sprintf("For %s %s.", on, alternatives(values)))
	}
	if f.with != "" {
		out = append(out, fmt.Sprintf("With `%s`.", f.with))
	}
	if f.not != "" {
		out = append(out, fmt.Sprintf("Not with `%s`.", f.not))
	}
	if len(f.one) > 0 {
		out = append(out, fmt.Sprintf("Either `%s`.", strings.Join(f.one, "` or `")))
	}
	return strings.Join(out, " ")
}

func usual(f field) string {
	switch {
	case f.need:
		return "needed"
	case f.def != "":
		return "`" + f.def + "`"
	}
	return "–"
}

func escaped(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
