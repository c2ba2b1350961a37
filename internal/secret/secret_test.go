package secret

import "testing"

func TestRedactor(t *testing.T) {
	redact := Redactor("Bearer s3cret/key+1", "short", "", "s3cret")
	for text, want := range map[string]string{
		"bad key s3cret/key+1":                  "bad key [key]",
		"Bearer s3cret/key+1!":                  "[key]!",
		`{"key":"s3cret\/key+1"}`:               `{"key":"[key]"}`,
		"?key=s3cret%2Fkey%2B1":                 "?key=[key]",
		"s3cret and short, Bearer and nothing.": "[key] and short, Bearer and nothing.",
	} {
		if got := redact(text); got != want {
			t.Errorf("%s became %s", text, got)
		}
	}
}
