package scripted

import (
	"reflect"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/model"
)

// TestNamedCalls: a tool of one's own is called as the message spells it out, and what it gave is in the answer.
func TestNamedCalls(t *testing.T) {
	own := append(offered("shop_stock", "shop_order"), allTools...)
	for text, want := range map[string][]string{
		`shop_stock {"item":"lamp 2+3"}`:                            {`shop_stock {"item":"lamp 2+3"}`},
		`Please shop_stock {"item": {"name":"a"}} and what is 2+3?`: {`shop_stock {"item": {"name":"a"}}`, `calculator {"expression":"2 + 3"}`},
		`shop_stock {} then shop_order {"n":1}`:                     {`shop_stock {}`, `shop_order {"n":1}`},
		`shop_stock {"item":`:                                       nil,
		`shop_price {"item":"lamp"}`:                                nil,
		`shop_stock lamp`:                                           nil,
	} {
		calls, answer := converse(t, text, own, func(c model.Call) string { return `{"left":7}` })
		var got []string
		for _, c := range calls {
			got = append(got, c.Tool+" "+c.Arguments)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: calls %q, want %q", text, got, want)
		}
		if want != nil && !strings.Contains(answer, `shop_stock says: {"left":7}`) {
			t.Errorf("%s: %q", text, answer)
		}
	}
	if _, answer := converse(t, `shop_stock {}`, own, func(model.Call) string { return "seven" }); answer != "shop_stock says: seven" {
		t.Errorf("a text: %q", answer)
	}
	if s := ask(t, New(Config{WordsPerSecond: -1}), request("help", own)); !strings.Contains(s.text, `shop_order {"name": "value"}`) {
		t.Errorf("the help does not name a tool of one's own: %q", s.text)
	}
}
