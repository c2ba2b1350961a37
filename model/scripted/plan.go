package scripted

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
)

const (
	maxWishes = 16       // that are done for one message
	maxText   = 16 << 10 // bytes of a message that are read
)

const storyVerbs = `(?:tell|write|give|make|read|invent|compose|want|like|need|create|generate)`

// wish is one thing that a message asks for.
type wish struct {
	from, to  int    // its place in the message
	tool      string // that does it, empty for a story
	arguments string // for the tool, a JSON object
	label     string // what is asked, as shown to a person: the expression, place, query or URL
	words     int    // of a story
	topic     string // of a story
}

var (
	hasURL   = regexp.MustCompile(`(?i)\bhttps?://[^\s<>"“”]+`)
	searches = regexp.MustCompile(`(?i)\bwhat (?:did|have|had) (?:i|we|you) (?:ever |already |just |last )?` +
		`(?:say|said|tell|told|write|written|wrote|ask|asked|mention|mentioned|talk|talked|discuss|discussed|decide|decided|note|noted)` +
		`(?: you| me| us)?(?: (?:about|on|of|regarding|for))? |` +
		`\b(?:did|have) (?:i|we) (?:ever )?(?:say|said|mention|mentioned|talk|talked|write|written)(?: (?:anything|something))?(?: (?:about|on|of))? |` +
		`\bsearch (?:(?:my|our|the|all|these) )?(?:(?:threads|conversations|chats|messages|history) )?(?:for|about) |` +
		`\bfind (?:me )?(?:(?:my|our|the|all|what|where) (?:i |we )?(?:threads|conversations|chats|messages|said|wrote|mentioned) )?(?:about |on )?`)
	imperative = regexp.MustCompile(`(?i)(?:^|[.?!;,:\n]|\b(?:please|and|then|also|now|you|to|me))\s*[-*•]?\s*$`)
	stories    = regexp.MustCompile(`(?i)\b(?:stor(?:y|ies)|(?:fairy ?)?tales?)\b`)
	storyVerb  = regexp.MustCompile(`(?i)\b` + storyVerbs + `\b`)
	storyStart = regexp.MustCompile(`(?i)(?:(?:\b` + storyVerbs + `\s+)?(?:(?:me|us)\s+)?\b(?:a|an|another|one|the)\s+(?:[\w-]+\s+){0,2}|` +
		`\b` + storyVerbs + `\s+(?:(?:me|us)\s+)?(?:[\w-]+\s+){0,2})?$`)
	wordsBefore = regexp.MustCompile(`(?i)\b(\d[\d,]*)[\s-]*words?[\s-]+(?:long\s+)?(?:[\w-]+\s+){0,2}$`)
	wordsAfter  = regexp.MustCompile(`(?i)(?:\b(?:of|with|in|using|has|having)\s+)?(?:(?:about|exactly|around|only|at most|up to)\s+)?\b(\d[\d,]*)[\s-]*words?\b(?: long)?`)
	topicStart  = regexp.MustCompile(`(?i)\b(?:about|on)\s+`)
	sentenceEnd = regexp.MustCompile(`[.?!](?:["'”’)]*)(?:\s|$)|[;\n]`)

	// leadIn is what may stand between the free text of one wish and the next wish.
	leadIn = regexp.MustCompile(`(?i)\s*(?:,|\b(?:and|then|also)\b)[\s,]*(?:(?:and|then|also|please|finally|what(?:['’]s| is| are)|calculate|compute|` +
		`evaluate|solve|work out|how much is|tell me|give me|show me|fetch|read|open|get|summari[sz]e|the|result|value|of|a|can|could|you|in)\s+)*$`)
)

// findWishes returns what a message asks for, in its order, at most maxWishes; more says that there was text or
// a wish beyond. Only tools that it has are called by their names.
func findWishes(text string, has map[string]bool) (found []wish, more bool) {
	if len(text) > maxText {
		text, more = strings.ToValidUTF8(text[:maxText], ""), true
	}
	all := findNamed(text, has)
	for _, m := range hasURL.FindAllStringIndex(text, maxWishes+1) {
		u := strings.TrimRight(text[m[0]:m[1]], ".,;:!?)]}'’*")
		all = append(all, wish{from: m[0], to: m[0] + len(u), tool: "fetch_url", label: u, arguments: object("url", u)})
	}
	all = append(all, findTimes(text)...)
	for _, s := range findSums(text) {
		all = append(all, wish{from: s.from, to: s.to, tool: "calculator", label: s.expression,
			arguments: object("expression", s.expression)})
		if len(all) > 8*maxWishes {
			break
		}
	}
	open := append(findStories(text), findSearches(text)...)
	starts := append(slices.Clone(all), open...)
	slices.SortStableFunc(starts, byPlace)
	for i := range open {
		open[i].close(text, starts)
	}
	all = append(all, open...)
	slices.SortStableFunc(all, byPlace)
	end := 0
	for i, w := range all {
		if w.arguments == "" && w.words == 0 {
			continue // a search for nothing
		}
		same := i > 0 && len(found) > 0 && w.from == all[i-1].from && w.tool == "clock" // the places of one question
		if w.from < end && !same {
			continue
		}
		if len(found) == maxWishes {
			return found, true
		}
		found = append(found, w)
		end = max(end, w.to)
	}
	return found, more
}

func byPlace(a, b wish) int { return a.from - b.from }

// findSearches returns the beginnings of searches: the free text that follows is read by close.
func findSearches(text string) []wish {
	var found []wish
	for _, m := range searches.FindAllStringIndex(text, 8*maxWishes) {
		verb := strings.ToLower(text[m[0]:min(m[1], m[0]+6)])
		if strings.HasPrefix(verb, "find") || strings.HasPrefix(verb, "search") {
			if !imperative.MatchString(text[max(0, m[0]-20):m[0]]) || strings.HasPrefix(strings.ToLower(text[m[1]:]), "out ") {
				continue
			}
		}
		found = append(found, wish{from: m[0], to: m[1], tool: "search_threads"})
	}
	return found
}

// findStories returns the stories that are asked for, each up to the end of its sentence.
func findStories(text string) []wish {
	var found []wish
	nouns := stories.FindAllStringIndex(text, 8*maxWishes)
	for i, m := range nouns {
		begin := 0
		if i > 0 {
			begin = nouns[i-1][1]
		}
		if len(found) > 0 {
			begin = max(begin, found[len(found)-1].to)
		}
		begin = max(begin, m[0]-80)
		before := text[begin:m[0]]
		if e := sentenceEnd.FindAllStringIndex(before, -1); e != nil {
			before = before[e[len(e)-1][1]:]
		}
		end := sentence(text, m[1])
		if i+1 < len(nouns) {
			end = min(end, nouns[i+1][0])
		}
		w := wish{from: m[0] - len(before) + storyStart.FindStringIndex(before)[0], to: m[1]}
		sized := wordsBefore.FindStringSubmatchIndex(before)
		if sized != nil {
			w.words = count(before[sized[2]:sized[3]])
			w.from = min(w.from, m[0]-len(before)+sized[0])
		} else if sized = wordsAfter.FindStringSubmatchIndex(text[m[1]:end]); sized != nil {
			w.words = count(text[m[1]+sized[2] : m[1]+sized[3]])
			w.to = m[1] + sized[1]
		} else if storyVerb.MatchString(before) || strings.Trim(strings.ToLower(text[w.from:]), " .!?") == strings.ToLower(text[w.from:m[1]]) ||
			topicStart.MatchString(text[m[1]:min(end, m[1]+8)]) && strings.TrimSpace(text[:w.from]) == "" {
			w.words = defaultWords
		} else {
			continue
		}
		w.words = min(max(w.words, 1), maxWords)
		found = append(found, w)
	}
	return found
}

// close reads the free text of a search or story: up to the end of the sentence, or up to another wish that is joined by
// "and" or a comma. A search that begins with another wish, as in "find the time in Tokyo", is none.
func (w *wish) close(text string, others []wish) {
	begin := w.to
	if w.tool == "" {
		if t := topicStart.FindStringIndex(text[w.to:sentence(text, w.to)]); t != nil && !startsWithCount(text[w.to+t[1]:]) {
			begin = w.to + t[1]
		} else if t := topicStart.FindStringIndex(text[w.from:w.to]); t != nil && !startsWithCount(text[w.from+t[1]:]) {
			begin = w.from + t[1]
		} else {
			return
		}
	}
	end := sentence(text, begin)
	for _, o := range others {
		if o.from < begin || o.from == w.from || o.from >= end {
			continue
		}
		if w.tool != "" && len(strings.Fields(text[begin:o.from])) < 1 {
			w.to = begin
			return
		}
		if m := leadIn.FindStringIndex(text[begin:o.from]); m != nil {
			end = begin + m[0]
			break
		}
	}
	free := text[begin:end]
	if w.tool == "" {
		if m := wordsAfter.FindStringIndex(free); m != nil {
			free = free[:m[0]]
		}
		w.topic = tidy(free)
		w.to = max(w.to, end)
		return
	}
	w.to = end
	if w.label = tidy(free); w.label != "" {
		w.arguments = object("query", w.label)
	}
}

// sentence returns where the sentence at i ends.
func sentence(text string, i int) int {
	if m := sentenceEnd.FindStringIndex(text[i:]); m != nil {
		return i + m[0]
	}
	return len(text)
}

// tidy trims what people put around a name: quotes, punctuation, please.
func tidy(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	for {
		t := strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"'“”‘’,.:;?!`, r) })
		if len(t) >= 7 && strings.EqualFold(t[len(t)-7:], " please") {
			t = t[:len(t)-7]
		}
		if t == s {
			return clip(s, 200)
		}
		s = t
	}
}

// startsWithCount tells "about 50 words" from "about 50 ways".
func startsWithCount(s string) bool {
	m := wordsAfter.FindStringIndex(s)
	return m != nil && m[0] == 0
}

// count reads a number of words; one that is too large for an int is more than there can be.
func count(s string) int {
	n, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
	if err != nil {
		return maxWords + 1
	}
	return n
}

// object is a JSON object with one member.
func object(name, value string) string {
	b, err := json.Marshal(map[string]string{name: strings.ToValidUTF8(value, "�")})
	if err != nil {
		return "{}"
	}
	return string(b)
}

// clip shortens s to n characters.
func clip(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return strings.TrimSpace(s[:i]) + "…"
		}
	}
	return s
}

func quote(s string) string { return "“" + clip(strings.Join(strings.Fields(s), " "), 80) + "”" }
