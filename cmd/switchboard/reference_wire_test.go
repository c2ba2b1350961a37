package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rootPackage is the syntax of the root package, where the wire is declared.
type rootPackage struct {
	types   map[string]ast.Expr
	docs    map[string]string            // of types
	words   map[string][]string          // type ("" for none) → what its constants say, in order
	value   map[string]string            // of constants
	payload map[string]map[string]string // MessageType or EventType → what its constant says → type of the payload
}

func readRoot(t *testing.T) *rootPackage {
	t.Helper()
	s := &rootPackage{map[string]ast.Expr{}, map[string]string{}, map[string][]string{}, map[string]string{}, map[string]map[string]string{"MessageType": {}, "EventType": {}}}
	paths, err := filepath.Glob("../../*.go")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no root package: %v", err)
	}
	var methods []*ast.FuncDecl
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				s.read(d)
			case *ast.FuncDecl:
				if s.payload[d.Name.Name] != nil && d.Recv != nil {
					methods = append(methods, d)
				}
			}
		}
	}
	for _, d := range methods {
		star, ok := d.Recv.List[0].Type.(*ast.StarExpr)
		if !ok || len(d.Body.List) != 1 {
			continue
		}
		if r, ok := d.Body.List[0].(*ast.ReturnStmt); ok {
			s.payload[d.Name.Name][s.value[r.Results[0].(*ast.Ident).Name]] = star.X.(*ast.Ident).Name
		}
	}
	return s
}

// read takes the types and text constants of a declaration.
func (s *rootPackage) read(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch x := spec.(type) {
		case *ast.TypeSpec:
			s.types[x.Name.Name] = x.Type
			doc := x.Doc.Text()
			if doc == "" {
				doc = d.Doc.Text()
			}
			s.docs[x.Name.Name] = doc
		case *ast.ValueSpec:
			typ := ""
			if id, ok := x.Type.(*ast.Ident); ok {
				typ = id.Name
			}
			for i, v := range x.Values {
				lit, ok := v.(*ast.BasicLit)
				if !ok || d.Tok != token.CONST || lit.Kind != token.STRING {
					continue
				}
				text, _ := strconv.Unquote(lit.Value) // the parser has seen it
				s.words[typ] = append(s.words[typ], text)
				s.value[x.Names[i].Name] = text
			}
		}
	}
}

// said is what a type's comment says, without its name.
func (s *rootPackage) said(name string) string {
	doc := strings.TrimPrefix(strings.TrimLeft(strings.TrimPrefix(s.docs[name], name), ": "), "is ")
	if doc == "" {
		return ""
	}
	return strings.ToUpper(doc[:1]) + doc[1:]
}

// members are the fields of a payload: optional ones with a question mark, and the words that one of them may be.
func (s *rootPackage) members(t *testing.T, name string) string {
	t.Helper()
	x, ok := s.types[name].(*ast.StructType)
	if !ok {
		t.Fatalf("%s is no struct", name)
	}
	var all []string
	for _, f := range x.Fields.List {
		if f.Tag == nil {
			t.Fatalf("a field of %s has no tag", name)
		}
		raw, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		tag := reflect.StructTag(raw)
		member, rest, _ := strings.Cut(tag.Get("json"), ",")
		if rest != "" {
			member += "?"
		}
		text := "`" + member + "` " + s.shown(f.Type)
		if words := tag.Get("enum"); words != "" {
			text = "`" + member + "` " + strings.ReplaceAll(words, ",", ", ")
		}
		all = append(all, text)
	}
	return strings.Join(all, "<br>")
}

// shown is a type as a reader of JSON knows it.
func (s *rootPackage) shown(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return s.shown(x.X)
	case *ast.ArrayType:
		return "list of " + s.shown(x.Elt)
	case *ast.SelectorExpr:
		return "JSON"
	case *ast.Ident:
		switch {
		case x.Name == "string" || x.Name == "Time":
			return map[string]string{"string": "text", "Time": "time"}[x.Name]
		case x.Name == "bool":
			return "true or false"
		case strings.HasPrefix(x.Name, "int") || strings.HasPrefix(x.Name, "uint") || strings.HasPrefix(x.Name, "float"):
			return "number"
		case len(s.words[x.Name]) > 0:
			return strings.Join(s.words[x.Name], ", ")
		}
		if _, ok := s.types[x.Name].(*ast.StructType); ok {
			return "[" + x.Name + "](#" + strings.ToLower(x.Name) + ")"
		}
		return "text"
	}
	return "JSON"
}

// referenceWire lists the types of messages, events and notices with their payloads.
func referenceWire(t *testing.T) string {
	t.Helper()
	s := readRoot(t)
	var b strings.Builder
	b.WriteString("# Messages, events, deltas and notices\n\n" + made +
		"The words of the protocol, from the Go package at the root of the module. [PROTOCOL.md](../PROTOCOL.md) says how they work together; a `?` marks what may be missing.\n")
	for _, part := range []struct{ title, what, table string }{
		{"Messages", "What a device sends.", "MessageType"}, {"Events", "What is stored, and what every device of the user sees.", "EventType"},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| type | payload | |\n|---|---|---|\n", part.title, part.what)
		if len(s.words[part.table]) < 15 || len(s.words[part.table]) != len(s.payload[part.table]) {
			t.Fatalf("%d types and %d payloads of %s", len(s.words[part.table]), len(s.payload[part.table]), part.table)
		}
		for _, typ := range s.words[part.table] {
			payload := s.payload[part.table][typ]
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", typ, s.members(t, payload), cell(s.said(payload)))
		}
	}
	b.WriteString("\n## Replies, deltas and notices\n\nNone of them is stored.\n\n| type | payload | |\n|---|---|---|\n")
	for _, x := range [][2]string{
		{"TypeAck", "Ack"}, {"TypeError", "Problem"}, {"TypeAgentDelta", "DeltaPayload"}, {"TypeConnectionEstablished", "ConnectionEstablished"},
		{"TypeCaughtUp", "CaughtUp"}, {"TypeExpiring", "Expiring"}, {"TypeDraining", "Draining"}, {"TypeQualityAlert", "QualityAlert"}, {"TypeQualityUpdate", "QualityUpdate"},
	} {
		if s.value[x[0]] == "" {
			t.Fatalf("there is no %s", x[0])
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.value[x[0]], s.members(t, x[1]), cell(s.said(x[1])))
	}
	b.WriteString("| `result` | what was asked for | Answers a message that asks. |\n\n## Parts of payloads\n")
	parts := []string{"Attachment", "Call", "Usage", "Quality", "User", "Server", "Resync"}
	for _, name := range parts {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n%s\n", name, strings.TrimSpace(s.said(name)), strings.ReplaceAll(s.members(t, name), "<br>", ", "))
	}
	b.WriteString("\n### Limits\n\n[Codes and limits](codes.md#limits).\n")
	for _, m := range strings.Split(b.String(), "](#")[1:] {
		name, _, _ := strings.Cut(m, ")")
		if name != "limits" && !slices.ContainsFunc(parts, func(p string) bool { return strings.EqualFold(p, name) }) {
			t.Errorf("nothing says what %s is", name)
		}
	}
	return b.String()
}
