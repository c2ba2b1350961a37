package ssot

import "testing"

func TestSymbol(t *testing.T) {
	for name, want := range map[string]symbol{
		"router":                               {pkg: "router"},
		"journal/...":                          {pkg: "journal/..."},
		"...":                                  {pkg: "..."},
		".":                                    {pkg: "."},
		".Event":                               {pkg: ".", decl: "Event"},
		".Event.Kind":                          {pkg: ".", decl: "Event", sub: "Kind"},
		"code.go":                              {pkg: ".", file: "code.go"},
		"a/b.go":                               {pkg: "a", file: "b.go"},
		"a/b.go.Conn":                          {pkg: "a/b", decl: "go", sub: "Conn"},
		`"github.com/nats-io/nats.go".Conn`:    {pkg: "github.com/nats-io/nats.go", decl: "Conn"},
		`"github.com/nats-io/nats.go"`:         {pkg: "github.com/nats-io/nats.go"},
		"gopkg.in/yaml.v3.Node.Decode":         {pkg: "gopkg.in/yaml.v3", decl: "Node", sub: "Decode"},
		"desc.v2.New":                          {pkg: "desc", decl: "v2", sub: "New"},
		"router.(*Router).Route":               {pkg: "router", decl: "Router", sub: "Route"},
		"transport/rest.Server.Do":             {pkg: "transport/rest", decl: "Server", sub: "Do"},
		"github.com/coder/websocket.Conn.Read": {pkg: "github.com/coder/websocket", decl: "Conn", sub: "Read"},
	} {
		if got := (Name{Text: name}).symbol(); got != want {
			t.Errorf("%s is %+v, wanted is %+v", name, got, want)
		}
	}
}

func TestHolds(t *testing.T) {
	method := Place{Package: "router", File: "router.go", Line: 7, Type: "Router", Name: "Route", Pointer: true}
	function := Place{Package: "router", File: "router.go", Line: 3, Name: "New"}
	for _, c := range []struct {
		name  string
		place Place
		want  bool
	}{
		{"router", method, true}, {"...", method, true}, {"./...", method, true}, {"router/...", method, true}, {"rout/...", method, false},
		{"router/router.go", method, true}, {"router/other.go", method, false}, {"router.go", method, false},
		{"router.Router", method, true}, {"router.(*Router).Route", method, true}, {"router.Router.Do", method, false},
		{"router.Route", method, false}, {"router.New", function, true}, {"router.New.New", function, false}, {"other.New", function, false},
	} {
		if got := (Name{Text: c.name}).symbol().holds(c.place); got != c.want {
			t.Errorf("%s holds %s: %v", c.name, c.place.Unit(), got)
		}
	}
}

func TestShapesAreComparedWithoutSpaces(t *testing.T) {
	for shape, want := range map[string]string{
		"([]byte) (.MessageType, error)":                     "([]byte)(MessageType,error)",
		"(context.Context, map[.UserID]*tool.Tool)":          "(context.Context,map[UserID]*tool.Tool)",
		"(ctx.Context, ...string) error":                     "(ctx.Context,...string)error",
		"(func(.Event) bool, chan<- []example.com/x.T) bool": "(func(Event)bool,chan<- []example.com/x.T)bool",
	} {
		if got := spaceless(shape); got != want {
			t.Errorf("%s is %s, wanted is %s", shape, got, want)
		}
	}
}
