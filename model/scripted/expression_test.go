package scripted

import (
	"slices"
	"strings"
	"testing"
)

func TestFindSums(t *testing.T) {
	for text, want := range map[string][]string{
		"2+3":                                  {"2 + 3"},
		"What is 2 + 3?":                       {"2 + 3"},
		"What's 12.5*(3 - 4)/2?":               {"12.5 * (3 - 4) / 2"},
		"2 + 3.":                               {"2 + 3"},
		"2^10":                                 {"2 ^ 10"},
		"2**10":                                {"2 ^ 10"},
		"6 × 7 and 8 ÷ 2":                      {"6 * 7", "8 / 2"},
		"6 x 7":                                {"6 * 7"},
		"6 − 7":                                {"6 - 7"},
		"1,234,567.89 + 1":                     {"1234567.89 + 1"},
		"12,345+2":                             {"12345 + 2"},
		"2 plus 3 times 4":                     {"2 + 3 * 4"},
		"10 divided by 4, 3 multiplied by 2":   {"10 / 4", "3 * 2"},
		"2 to the power of 8":                  {"2 ^ 8"},
		"9 Minus 4":                            {"9 - 4"},
		"-2+3":                                 {"-2 + 3"},
		"5 * -3":                               {"5 * -3"},
		"-(2+3)*4":                             {"-(2 + 3) * 4"},
		"2(3+4)":                               {"2 * (3 + 4)"},
		"(1+2)(3+4)":                           {"(1 + 2) * (3 + 4)"},
		"(what is 2+3)":                        {"2 + 3"},
		"((2+3)*4":                             {"(2 + 3) * 4"},
		"x=2+3":                                {"2 + 3"},
		"2+3=":                                 {"2 + 3"},
		"Compute:2+3":                          {},
		"Compute: 2+3":                         {"2 + 3"},
		"$5 + $3":                              {"5 + 3"},
		"1. 2+3\n2. 4+5":                       {"2 + 3", "4 + 5"},
		"- 2+3\n- 4*5":                         {"2 + 3", "4 * 5"},
		"* 2+3":                                {"2 + 3"},
		"2+3, 4+5; 6*7":                        {"2 + 3", "4 + 5", "6 * 7"},
		"2+3 - the sum":                        {"2 + 3"},
		".5 + .25":                             {"0.5 + 0.25"},
		"what is 100-200-300?":                 {"100 - 200 - 300"},
		"what is 555-1234?":                    {"555 - 1234"},
		"10-5":                                 {"10 - 5"},
		"5-8":                                  {"5 - 8"},
		"I want 3+4 apples":                    {"3 + 4"},
		"0 - 5":                                {"0 - 5"},
		"wie viel ist 3*7 bitte":               {"3 * 7"},
		"calc(2+3)":                            {"(2 + 3)"},
		"“17*3”":                               {"17 * 3"},
		"abc123+4x and 7*6":                    {"7 * 6"},
		"the 2nd of 3 things is 4*4":           {"4 * 4"},
		"On 2026-11-23 at 12:30 I had 2+2":     {"2 + 2"},
		"Call 555-123-4567 about 19*2, please": {"19 * 2"},

		"":                              {},
		"42":                            {},
		"-5":                            {},
		"(5)":                           {},
		"abc123+4x":                     {},
		"gpt-4 and v2":                  {},
		"gpt-4+2":                       {},
		"x-4+2":                         {},
		"x * 2 + 3":                     {},
		"2 + 3 * foo":                   {},
		"2+3*foo":                       {},
		"2 + 3 4":                       {},
		"3 4 + 5":                       {},
		"3,5 + 1":                       {},
		"2026-11-23":                    {},
		"2026-11-23T12:30:00+01:00":     {},
		"23/11/2026":                    {},
		"2026/11/23":                    {},
		"23.11.2026":                    {},
		"12:30":                         {},
		"12:30-13:45":                   {},
		"12:30 - 13:45":                 {},
		"between 9:00 and 17:00-18:00":  {},
		"555-1234":                      {},
		"call 555-1234 now":             {},
		"555-123-4567":                  {},
		"(555) 123-4567":                {},
		"+1-555-123-4567":               {},
		"+1 (555) 123-4567":             {},
		"+49 30 1234-567":               {},
		"+49 30 1234567":                {},
		"030/1234567":                   {},
		"978-3-16-148410-0":             {},
		"123-45-6789":                   {},
		"2020-2024":                     {},
		"pages 3-4":                     {},
		"I sleep 7-8 hours":             {},
		"24/7 support":                  {},
		"version 1.2.3-4":               {},
		"192.168.1.1/24":                {},
		"550e8400-e29b-41d4-a716-44665": {},
		"https://example.com/2+3?a=4*5": {},
		"me+2@example.com":              {},
		"1920x1080":                     {},
		"4x+3x":                         {},
		"a/2/3":                         {},
		"usr/2/3":                       {},
		"#12-5":                         {},
		"COVID-19+2":                    {},
		"UTC+2":                         {},
		"Wi-Fi 6 and 802.11":            {},
		"50%+20%":                       {},
		"2++":                           {},
		"+":                             {},
		"()":                            {},
		"3 times":                       {},
		"1e5+2":                         {},
		"24-hour":                       {},
		"007+1":                         {},
		"C++ 17 and C# 8":               {},
	} {
		var got []string
		for _, s := range findSums(text) {
			got = append(got, s.expression)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Long nonsense must not take longer than its length.
func TestFindSumsOfHugeText(t *testing.T) {
	for _, s := range []string{"(", "1+", "(1+", "-", "1 ", "(1)", "1*(2+", "plus ", "x "} {
		findSums(strings.Repeat(s, 5_000))
	}
}

func FuzzFindSums(f *testing.F) {
	for _, s := range []string{"2+3", "(1+2)(3", "1,000 + .5", "12:30 - 2", "a–b 2–3", "x\xff+2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, s := range findSums(text) {
			if s.from < last || s.to <= s.from || s.to > len(text) {
				t.Fatalf("%q: span [%d, %d) after %d", text, s.from, s.to, last)
			}
			last = s.to
			if strings.Trim(s.expression, "0123456789.+-*/^() ") != "" {
				t.Fatalf("%q: %q", text, s.expression)
			}
		}
	})
}
