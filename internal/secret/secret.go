// Package secret takes secrets out of what is logged and shown: servers quote the keys that they are given. It keeps what it
// is told to take out, and nothing else; all functions may be called concurrently.
package secret

import (
	"net/url"
	"slices"
	"strings"
)

// shortest is the length from which a text is a secret, in bytes: shorter ones would be found everywhere.
const shortest = 6

// Redactor returns a function that takes values, such as those of headers, out of a text, also where a server wrote them
// escaped or without their scheme, and puts [key] in their place.
func Redactor(values ...string) func(string) string {
	var secrets []string
	for _, v := range values {
		for _, s := range append(strings.Fields(v), v) {
			if len(s) >= shortest && !slices.Contains(secrets, s) && !strings.EqualFold(s, "bearer") {
				secrets = append(secrets, s)
			}
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range secrets {
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), strings.ReplaceAll(s, "/", `\/`)} {
			pairs = append(pairs, form, "[key]")
		}
	}
	return strings.NewReplacer(pairs...).Replace
}
