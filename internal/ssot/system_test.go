package ssot

import (
	"reflect"
	"slices"
	"testing"
)

// TestFragmented: in the system with everything twice each detection fires, with both places, and nothing else is found.
func TestFragmented(t *testing.T) {
	dir := t.TempDir()
	files := unpack(t, dir, "consolidated.txtar", "fragmented.txtar")
	wanted := wants(files, "want vet", "want")
	r := whole(t, dir)
	fired := compare(t, r.Findings, wanted)
	t.Logf("fragmented: %d detections fired of %d expected", fired, len(wanted))

	kinds := map[string]bool{}
	for _, f := range r.Findings {
		kinds[f.Rule] = true
	}
	for _, key := range keys(reflect.TypeFor[Concept]()) {
		switch key {
		case "name", "owner", "also", "instead":
			continue
		}
		if !kinds[key] {
			t.Errorf("no rule of the kind %s has fired", key)
		}
	}
	for _, k := range r.Concepts {
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Concept == k.Name }) {
			t.Errorf("nothing breaks %s", k.Name)
		}
	}
}

// TestConsolidated: in the system with one of each nothing is found, by the same file, although much looks like a second.
func TestConsolidated(t *testing.T) {
	dir := t.TempDir()
	unpack(t, dir, "consolidated.txtar")
	r := whole(t, dir)
	for _, f := range r.Findings {
		t.Errorf("not wanted: %s", f)
	}
	t.Logf("consolidated: %d findings in %d packages by %d concepts", len(r.Findings), r.Packages, len(r.Concepts))
}

// TestTheSameAlways: packages are looked at beside one another, and the report is the same to the letter.
func TestTheSameAlways(t *testing.T) {
	dir := t.TempDir()
	unpack(t, dir, "consolidated.txtar", "fragmented.txtar")
	first := whole(t, dir)
	for range 3 {
		if again := whole(t, dir); !reflect.DeepEqual(first, again) {
			t.Errorf("%+v\nand then\n%+v", first, again)
		}
	}
}
