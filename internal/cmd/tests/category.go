package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// category is a kind of tests.
type category struct {
	name, what string
	// of says which tests of a package belong to the category: as -run and -skip have it. False: none.
	of func(pkg string) (run, skip string, some bool)
}

// categories is the table of them. Every test belongs to exactly one but mission, which chooses among them.
var categories = []category{
	{"mission", "the tests that, while they are green, mean that users get answers", func(pkg string) (string, string, bool) {
		names := mission[pkg]
		return "^(" + strings.Join(names, "|") + ")$", "", len(names) > 0
	}},
	{"unit", "each package by itself", func(pkg string) (string, string, bool) {
		return "", "^TestE2E", !within(pkg, integration) && !within(pkg, detection)
	}},
	{"integration", "whole nodes on a real log in simulated time, and real processes that are killed", func(pkg string) (string, string, bool) {
		return "", "", within(pkg, integration)
	}},
	{"e2e", "the program as users run it", func(pkg string) (string, string, bool) {
		return "^TestE2E", "", within(pkg, endToEnd)
	}},
	{"detection", "what finds a second router, broadcaster or dispatcher, and faults that are planted", func(pkg string) (string, string, bool) {
		return "", "", within(pkg, detection)
	}},
}

// The packages of the categories; names that end in /... stand for all below.
var (
	integration = []string{"internal/world", "journal/...", "test/..."}
	endToEnd    = []string{"cmd/switchboard"}
	detection   = []string{"internal/house", "internal/ssot", "cmd/ssot"}
)

// mission are the tests of the mission suite by package.
var mission = map[string][]string{
	"cmd/switchboard": {"TestE2ESite", "TestE2EKill9", "TestE2EForeignIDs", "TestE2ECredentials", "TestE2EProbeModelServer", "TestE2EChatOnceKill9"},
	"internal/world": {
		"TestGoldenPath", "TestIsolation", "TestSameID", "TestKill", "TestFrozen", "TestLostSignals", "TestLostWakeup", "TestStop", "TestOnBusy",
		"TestApproval", "TestActiveRuns",
	},
	"model/openai": {"TestScripts"},
	"tool":         {"TestRan", "TestRefused"},
}

func within(pkg string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		under, all := strings.CutSuffix(name, "/...")
		return pkg == under || all && strings.HasPrefix(pkg, under+"/")
	})
}

// choose returns the categories of these names.
func choose(names []string) ([]category, error) {
	var out []category
	for _, c := range categories {
		if len(names) == 0 && c.name != "mission" || slices.Contains(names, c.name) {
			out = append(out, c)
		}
	}
	for _, n := range names {
		if !slices.ContainsFunc(categories, func(c category) bool { return c.name == n }) {
			return nil, fmt.Errorf("there is no category %q: mission, unit, integration, e2e or detection", n)
		}
	}
	return out, nil
}

// pattern makes a name as people write it into a regular expression: message_router finds TestMessageRouter.
func pattern(name string) (*regexp.Regexp, error) {
	var parts []string
	for _, p := range strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || r == ' ' }) {
		parts = append(parts, regexp.QuoteMeta(p))
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("-k %q names nothing", name)
	}
	return regexp.Compile("(?i)" + strings.Join(parts, "[_/-]?"))
}
