package mcp

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// resultOf returns what a call gave: structured content as JSON, else its texts, with a line in place of what is no
// text. A result that says it is an error is one.
func resultOf(r *sdk.CallToolResult) (json.RawMessage, error) {
	text, only := textOf(r.Content)
	if r.IsError {
		if text == "" {
			text = "the tool failed"
		}
		return nil, errors.New(text)
	}
	if r.StructuredContent == nil {
		return json.RawMessage(text), nil
	}
	// The same is often there as text, with numbers that the decoder has not rounded.
	if only && json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return json.Marshal(r.StructuredContent)
}

// textOf joins contents; only says that it is one text and nothing else.
func textOf(contents []sdk.Content) (text string, only bool) {
	parts := []string{}
	for _, c := range contents {
		switch c := c.(type) {
		case *sdk.TextContent:
			parts, only = append(parts, c.Text), true
			continue
		case *sdk.ImageContent:
			parts = append(parts, fmt.Sprintf("[image %s, %d bytes]", c.MIMEType, len(c.Data)))
		case *sdk.AudioContent:
			parts = append(parts, fmt.Sprintf("[audio %s, %d bytes]", c.MIMEType, len(c.Data)))
		case *sdk.ResourceLink:
			parts = append(parts, fmt.Sprintf("[resource %s %s]", c.URI, c.MIMEType))
		case *sdk.EmbeddedResource:
			parts = append(parts, resourceText(c.Resource))
		default:
			parts = append(parts, "[content of another kind]")
		}
	}
	return strings.Join(parts, "\n"), only && len(parts) == 1
}

// resourceText returns a resource's text, or a line in place of one that is none.
func resourceText(r *sdk.ResourceContents) string {
	switch {
	case r == nil:
		return "[resource]"
	case r.Text != "" || len(r.Blob) == 0:
		return r.Text
	}
	return fmt.Sprintf("[resource %s %s, %d bytes]", r.URI, r.MIMEType, len(r.Blob))
}
