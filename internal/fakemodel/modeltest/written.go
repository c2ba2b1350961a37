package modeltest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// NeverWritten checks that a configuration which holds Key does not show it, however it is written down.
func NeverWritten[C any](t *testing.T, c C) {
	t.Helper()
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c)
	b, err := json.Marshal(c)
	written := []string{log.String(), string(b), fmt.Sprint(err)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		written = append(written, fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c), fmt.Sprintf(verb, []any{c}))
	}
	for _, s := range written {
		if strings.Contains(s, "0123456789") || strings.Contains(s, fmt.Sprintf("%x", Key)) {
			t.Errorf("the key is in %q", s)
		}
	}
}
