package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

type manCmd struct{}

// Help implements kong.HelpProvider.
func (manCmd) Help() string {
	return `Examples:

    switchboard man | man -l -
    switchboard man > /usr/local/share/man/man1/switchboard.1`
}

// Run implements the command.
func (manCmd) Run(k *kong.Kong, s streams) error {
	_, err := io.WriteString(s.out, manual(k.Model))
	return err
}

// manual is the page in section 1, as roff with the macros of man(7).
func manual(model *kong.Application) string {
	var b strings.Builder
	b.WriteString(".TH SWITCHBOARD 1 \"\" Switchboard \"User Commands\"\n.SH NAME\nswitchboard \\- durable, user-isolated message router for AI chat\n")
	all := pages(model)
	b.WriteString(".SH SYNOPSIS\n")
	for _, c := range all {
		if len(c.subs) == 0 {
			fmt.Fprintf(&b, ".B switchboard\n%s\n.br\n", roff(strings.TrimPrefix(c.usage, "switchboard ")))
		}
	}
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(model.Help))
	b.WriteString(".SH COMMANDS\n")
	for _, c := range all {
		if len(c.subs) > 0 {
			continue
		}
		fmt.Fprintf(&b, ".SS switchboard %s\n%s\n", roff(c.path), roff(c.help))
		if c.more != "" {
			b.WriteString(".PP\n" + paragraphs(c.more))
		}
		for _, f := range c.flags {
			if f.Name == "help" {
				continue
			}
			b.WriteString(".TP\n.B " + roff(flagName(f)) + "\n" + roff(f.Help))
			if len(f.Envs) > 0 {
				b.WriteString(" Variable: " + roff(strings.Join(f.Envs, ", ")) + ".")
			}
			if f.HasDefault && f.Default != "" && !f.IsBool() {
				b.WriteString(" Default: " + roff(f.Default) + ".")
			}
			b.WriteString("\n")
		}
	}
	for _, s := range sections {
		b.WriteString(".SH " + strings.ToUpper(s.title) + "\n" + paragraphs(s.text))
	}
	return b.String()
}

func flagName(f *kong.Flag) string {
	name := "--" + f.Name
	if f.Short != 0 {
		name = fmt.Sprintf("-%c, %s", f.Short, name)
	}
	if !f.IsBool() {
		name += "=" + strings.Trim(f.FormatPlaceHolder(), `"`)
	}
	return name
}

// paragraphs writes text with blank lines between paragraphs; what is indented stays as it is.
func paragraphs(text string) string {
	var b strings.Builder
	fixed := false
	for l := range strings.Lines(text + "\n") {
		l = strings.TrimRight(l, "\n")
		indented := strings.HasPrefix(l, "    ") || strings.HasPrefix(l, "  ")
		switch {
		case indented && !fixed:
			b.WriteString(".nf\n.RS\n")
			fixed = true
		case !indented && fixed:
			b.WriteString(".RE\n.fi\n")
			fixed = false
		}
		if l == "" {
			b.WriteString(".PP\n")
			continue
		}
		b.WriteString(roff(strings.TrimSpace(l)) + "\n")
	}
	if fixed {
		b.WriteString(".RE\n.fi\n")
	}
	return b.String()
}

// roff writes text so that nothing of it is a request or an escape.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
