package builtin

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/tool"
)

// Searcher searches conversations.
type Searcher interface {
	// Search returns at most limit places in the user's own conversations that speak of the query, best first.
	Search(ctx context.Context, user switchboard.UserID, query string, limit int) ([]Hit, error)
}

// Hit is one message of a conversation.
type Hit struct {
	ThreadID switchboard.ThreadID
	Title    string // of the conversation
	N        uint64 // of the message's event in its thread
	Time     time.Time
	By       string // "you" or "agent"
	Text     string
}

const (
	defaultHits   = 5
	maxHits       = 20
	maxHitRunes   = 600
	maxTitleRunes = 200
)

// SearchThreads finds what was said in the caller's own conversations. It is idempotent.
type SearchThreads struct{ searcher Searcher }

// NewSearchThreads returns the tool over a Searcher.
func NewSearchThreads(s Searcher) SearchThreads { return SearchThreads{s} }

// Definition implements tool.Tool.
func (SearchThreads) Definition() tool.Definition {
	return tool.Definition{
		Name:  "search_threads",
		Title: "Searches your conversations",
		Description: "Searches the user's own earlier conversations for words. Use it when the user refers to something said before " +
			"that is not in this conversation. Each hit says who said it (you: the user; agent) and when.",
		Schema: json.RawMessage(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",` +
			`"properties":{"query":{"type":"string","minLength":1,"maxLength":200,"description":"words to look for"},` +
			`"limit":{"type":"integer","minimum":1,"maximum":20,"description":"most hits, 5 if absent"}},` +
			`"required":["query"],"additionalProperties":false}`),
		ReadOnly:   true,
		Idempotent: true,
	}
}

// foundHit is a Hit as a model reads it.
type foundHit struct {
	ThreadID switchboard.ThreadID `json:"thread_id"`
	Title    string               `json:"title"`
	N        uint64               `json:"n"`
	Time     switchboard.Time     `json:"time"`
	By       string               `json:"by"`
	Text     string               `json:"text"`
}

// Call implements tool.Tool.
func (s SearchThreads) Call(ctx context.Context, in tool.Invocation) (json.RawMessage, error) {
	var args struct {
		Query string  `json:"query"`
		Limit float64 `json:"limit"` // a whole number, which models also write as 5.0
	}
	if err := decode(in.Arguments, &args); err != nil {
		return nil, err
	}
	query := strings.TrimSpace(args.Query)
	if query == "" {
		return nil, invalid("query is needed").At("query")
	}
	limit := defaultHits
	if args.Limit >= 1 {
		limit = int(min(args.Limit, maxHits))
	}
	hits, err := s.searcher.Search(ctx, in.User, query, limit)
	if err != nil {
		return nil, switchboard.AsError(err)
	}
	found := []foundHit{}
	for _, h := range hits[:min(len(hits), limit)] {
		found = append(found, foundHit{
			h.ThreadID, shorten(h.Title, maxTitleRunes), h.N, switchboard.At(h.Time), h.By, shorten(h.Text, maxHitRunes),
		})
	}
	return encode(struct {
		Query string     `json:"query"`
		Hits  []foundHit `json:"hits"`
	}{query, found})
}

// shorten cuts a text after a number of characters.
func shorten(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}
