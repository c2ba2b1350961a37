package builtin

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// htmlText reduces a page to its text: the title, then what a reader sees, with a line break where a block begins or
// ends. It reads tokens and builds no tree, so no nesting costs anything.
func htmlText(page string) string {
	var out strings.Builder
	var hidden atom.Atom // the element whose content is being skipped
	depth := 0           // of that element within itself
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return tidy(out.String())
		case html.TextToken:
			if hidden == 0 {
				out.Write(z.Text())
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			a := atom.Lookup(name)
			switch {
			case hidden != 0 && a == hidden && kind == html.StartTagToken:
				depth++
			case hidden != 0 && a == hidden && kind == html.EndTagToken:
				if depth--; depth == 0 {
					hidden = 0
				}
			case hidden == 0 && kind == html.StartTagToken && unseen[a]:
				hidden, depth = a, 1
			case hidden == 0 && a == atom.Td, hidden == 0 && a == atom.Th:
				out.WriteByte(' ')
			case hidden == 0 && !inline[a]:
				out.WriteByte('\n')
			}
		}
	}
}

// unseen are elements whose content is no text of the page.
var unseen = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Noscript: true, atom.Template: true, atom.Svg: true, atom.Iframe: true,
	atom.Object: true, atom.Math: true, atom.Canvas: true, atom.Select: true, atom.Textarea: true, atom.Noframes: true,
}

// inline are elements that do not break a line.
var inline = map[atom.Atom]bool{
	atom.A: true, atom.Abbr: true, atom.B: true, atom.Bdi: true, atom.Bdo: true, atom.Button: true, atom.Cite: true,
	atom.Code: true, atom.Data: true, atom.Del: true, atom.Dfn: true, atom.Em: true, atom.Font: true, atom.I: true,
	atom.Img: true, atom.Input: true, atom.Ins: true, atom.Kbd: true, atom.Label: true, atom.Mark: true, atom.Q: true,
	atom.S: true, atom.Samp: true, atom.Small: true, atom.Span: true, atom.Strong: true, atom.Sub: true, atom.Sup: true,
	atom.Time: true, atom.Tt: true, atom.U: true, atom.Var: true, atom.Wbr: true,
}

// tidy makes one space of a row of spaces, and at most one empty line of several.
func tidy(s string) string {
	var out []string
	empty := true
	for line := range strings.Lines(s) {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" && empty {
			continue
		}
		empty = line == ""
		out = append(out, line)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}
