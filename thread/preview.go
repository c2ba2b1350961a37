package thread

import "strings"

// Excerpt returns the text in one line of at most n characters.
func Excerpt(text string, n int) string {
	s := strings.Join(strings.Fields(text[:min(len(text), 8*n)]), " ")
	r := []rune(strings.ToValidUTF8(s, ""))
	if len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return string(r)
}
