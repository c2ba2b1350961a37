package scripted

import (
	"regexp"
	"strings"
)

// place is where somebody asks for the time. The zone of one that is not in the table is its name: the clock may know it.
type place struct{ name, zone string }

var (
	asksTime = regexp.MustCompile(`(?i)\bwhat time (?:is it|it is)\b|\bwhat time(?:\s*$|\s*[?.!,\n]|\s+(?:now\b|in\b))|` +
		`\b(?:what(?:['’]s| is)|tell me|give me|show me|check|know) (?:the |today['’]s )?(?:current |local |exact )?(?:time|date)\b|` +
		`\b(?:current|local) time\b|\btime now\b|\b(?:what|which) day (?:is it|is today)\b|\btoday['’]s date\b|` +
		`\bthe time in\b|\btime in\b|^\W*(?:the )?(?:time|clock|date|now)(?: please)?\W*$`)
	zoneName = regexp.MustCompile(`^(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc)` +
		`(?:/[A-Za-z][A-Za-z0-9_+-]*){1,2}`)
	beforePlace = regexp.MustCompile(`(?i)^\s*(?:(?:is it|it is|now|right|currently|today|please|over)\s+)*(?:(?:in|at|for)\s+)?(?:the\s+)?`)
	preposition = regexp.MustCompile(`(?i)(?:\b(?:in|at|for)\s+)(?:the\s+)?$|\bin$`)
	nextPlace   = regexp.MustCompile(`(?i)^\s*(?:,\s*and\s+|,\s*|\band\s+|&\s*)(?:also\s+)?(?:in\s+)?(?:the\s+)?`)
	leadPlace   = regexp.MustCompile(`(?i)\bin\s+((?:\pL+\s+){0,2}\pL+)\s*,?\s*$`)
	placeWord   = regexp.MustCompile(`^\pL[\pL'’-]*`)
)

// findTimes returns the questions for the time or date in a text, one wish for each place asked for.
func findTimes(text string) []wish {
	var found []wish
	for _, m := range asksTime.FindAllStringIndex(text, -1) {
		from, to := m[0], m[1]
		if after := strings.ToLower(text[to:]); strings.HasPrefix(after, " zone") || strings.HasPrefix(after, " line") {
			continue
		}
		if len(found) > 0 && from < found[len(found)-1].to {
			continue
		}
		places, end := readPlaces(text, to)
		if len(places) == 0 {
			places = []place{{"UTC", "UTC"}}
			if m := leadPlace.FindStringSubmatch(text[max(0, from-60):from]); m != nil {
				if p, n := readPlace(m[1]); n == len(m[1]) {
					places[0] = p
				}
			}
		}
		for _, p := range places {
			found = append(found, wish{from: from, to: end, tool: "clock", label: p.name, arguments: object("zone", p.zone)})
		}
	}
	return found
}

// readPlaces reads "in Tokyo, Paris and New York" at i.
func readPlaces(text string, i int) (places []place, end int) {
	end = i
	lead := beforePlace.FindString(text[i:])
	at := i + len(lead)
	asked := preposition.MatchString(lead) || preposition.MatchString(text[max(0, i-8):i])
	for {
		p, n := readPlace(text[at:])
		if n == 0 && asked && len(places) == 0 {
			p, n = unknownPlace(text[at:])
		}
		if n == 0 {
			return places, end
		}
		places = append(places, p)
		end = at + n
		more := nextPlace.FindString(text[end:])
		if more == "" {
			return places, end
		}
		at = end + len(more)
	}
}

// readPlace reads a known city, country or zone at the beginning of s, the longest that fits; n is its length.
func readPlace(s string) (p place, n int) {
	if z := zoneName.FindString(s); z != "" {
		return place{z, z}, len(z)
	}
	end := 0
	for range 3 {
		gap := len(s[end:]) - len(strings.TrimLeft(s[end:], " .-"))
		w := placeWord.FindString(s[end+gap:])
		if w == "" {
			break
		}
		end += gap + len(w)
		name := strings.ToLower(strings.NewReplacer("-", " ", ".", "", "'s", "", "’s", "").Replace(s[:end]))
		if zone, ok := zones[name]; ok {
			p, n = place{s[:end], zone}, end
		}
	}
	return p, n
}

// unknownPlace reads the name of a place that is not in the table: a word, and those after it with a capital.
func unknownPlace(s string) (place, int) {
	n := len(placeWord.FindString(s))
	for n > 0 && n < len(s) && s[n] == ' ' {
		w := placeWord.FindString(s[n+1:])
		if w == "" || w == strings.ToLower(w) {
			break
		}
		n += 1 + len(w)
	}
	return place{s[:n], s[:n]}, n
}

// zones are the places that the demo knows, in lower case, with their names in the IANA time zone database.
var zones = map[string]string{
	"utc": "UTC", "gmt": "UTC", "greenwich": "Europe/London",
	"tokyo": "Asia/Tokyo", "osaka": "Asia/Tokyo", "kyoto": "Asia/Tokyo", "japan": "Asia/Tokyo",
	"seoul": "Asia/Seoul", "korea": "Asia/Seoul", "south korea": "Asia/Seoul",
	"beijing": "Asia/Shanghai", "shanghai": "Asia/Shanghai", "shenzhen": "Asia/Shanghai", "china": "Asia/Shanghai",
	"hong kong": "Asia/Hong_Kong", "taipei": "Asia/Taipei", "taiwan": "Asia/Taipei", "manila": "Asia/Manila",
	"singapore": "Asia/Singapore", "kuala lumpur": "Asia/Kuala_Lumpur", "bangkok": "Asia/Bangkok", "thailand": "Asia/Bangkok",
	"hanoi": "Asia/Ho_Chi_Minh", "saigon": "Asia/Ho_Chi_Minh", "ho chi minh": "Asia/Ho_Chi_Minh", "jakarta": "Asia/Jakarta",
	"delhi": "Asia/Kolkata", "new delhi": "Asia/Kolkata", "mumbai": "Asia/Kolkata", "bangalore": "Asia/Kolkata",
	"bengaluru": "Asia/Kolkata", "kolkata": "Asia/Kolkata", "chennai": "Asia/Kolkata", "india": "Asia/Kolkata",
	"kathmandu": "Asia/Kathmandu", "nepal": "Asia/Kathmandu", "dhaka": "Asia/Dhaka", "colombo": "Asia/Colombo",
	"karachi": "Asia/Karachi", "lahore": "Asia/Karachi", "islamabad": "Asia/Karachi", "kabul": "Asia/Kabul",
	"tashkent": "Asia/Tashkent", "almaty": "Asia/Almaty", "dubai": "Asia/Dubai", "abu dhabi": "Asia/Dubai",
	"doha": "Asia/Qatar", "riyadh": "Asia/Riyadh", "kuwait": "Asia/Kuwait", "tehran": "Asia/Tehran", "baghdad": "Asia/Baghdad",
	"tel aviv": "Asia/Jerusalem", "jerusalem": "Asia/Jerusalem", "israel": "Asia/Jerusalem", "beirut": "Asia/Beirut",
	"amman": "Asia/Amman", "baku": "Asia/Baku", "tbilisi": "Asia/Tbilisi", "yerevan": "Asia/Yerevan",
	"istanbul": "Europe/Istanbul", "ankara": "Europe/Istanbul", "turkey": "Europe/Istanbul",
	"london": "Europe/London", "manchester": "Europe/London", "edinburgh": "Europe/London", "uk": "Europe/London",
	"england": "Europe/London", "dublin": "Europe/Dublin", "ireland": "Europe/Dublin", "lisbon": "Europe/Lisbon",
	"portugal": "Europe/Lisbon", "madrid": "Europe/Madrid", "barcelona": "Europe/Madrid", "spain": "Europe/Madrid",
	"paris": "Europe/Paris", "lyon": "Europe/Paris", "france": "Europe/Paris", "brussels": "Europe/Brussels",
	"amsterdam": "Europe/Amsterdam", "netherlands": "Europe/Amsterdam", "luxembourg": "Europe/Luxembourg",
	"berlin": "Europe/Berlin", "munich": "Europe/Berlin", "hamburg": "Europe/Berlin", "frankfurt": "Europe/Berlin",
	"cologne": "Europe/Berlin", "germany": "Europe/Berlin", "vienna": "Europe/Vienna", "austria": "Europe/Vienna",
	"zurich": "Europe/Zurich", "zürich": "Europe/Zurich", "geneva": "Europe/Zurich", "bern": "Europe/Zurich",
	"switzerland": "Europe/Zurich", "rome": "Europe/Rome", "milan": "Europe/Rome", "italy": "Europe/Rome",
	"copenhagen": "Europe/Copenhagen", "denmark": "Europe/Copenhagen", "oslo": "Europe/Oslo", "norway": "Europe/Oslo",
	"stockholm": "Europe/Stockholm", "sweden": "Europe/Stockholm", "helsinki": "Europe/Helsinki", "finland": "Europe/Helsinki",
	"tallinn": "Europe/Tallinn", "riga": "Europe/Riga", "vilnius": "Europe/Vilnius", "warsaw": "Europe/Warsaw",
	"poland": "Europe/Warsaw", "prague": "Europe/Prague", "budapest": "Europe/Budapest", "bratislava": "Europe/Bratislava",
	"belgrade": "Europe/Belgrade", "zagreb": "Europe/Zagreb", "sofia": "Europe/Sofia", "bucharest": "Europe/Bucharest",
	"athens": "Europe/Athens", "greece": "Europe/Athens", "kyiv": "Europe/Kyiv", "kiev": "Europe/Kyiv", "ukraine": "Europe/Kyiv",
	"moscow": "Europe/Moscow", "reykjavik": "Atlantic/Reykjavik", "iceland": "Atlantic/Reykjavik",
	"cairo": "Africa/Cairo", "egypt": "Africa/Cairo", "casablanca": "Africa/Casablanca", "tunis": "Africa/Tunis",
	"algiers": "Africa/Algiers", "lagos": "Africa/Lagos", "nigeria": "Africa/Lagos", "accra": "Africa/Accra",
	"nairobi": "Africa/Nairobi", "kenya": "Africa/Nairobi", "addis ababa": "Africa/Addis_Ababa",
	"johannesburg": "Africa/Johannesburg", "cape town": "Africa/Johannesburg", "south africa": "Africa/Johannesburg",
	"new york": "America/New_York", "nyc": "America/New_York", "boston": "America/New_York", "miami": "America/New_York",
	"washington": "America/New_York", "washington dc": "America/New_York", "philadelphia": "America/New_York",
	"atlanta": "America/New_York", "detroit": "America/Detroit", "chicago": "America/Chicago", "houston": "America/Chicago",
	"dallas": "America/Chicago", "austin": "America/Chicago", "denver": "America/Denver", "phoenix": "America/Phoenix",
	"los angeles": "America/Los_Angeles", "san francisco": "America/Los_Angeles", "seattle": "America/Los_Angeles",
	"san diego": "America/Los_Angeles", "las vegas": "America/Los_Angeles", "california": "America/Los_Angeles",
	"anchorage": "America/Anchorage", "alaska": "America/Anchorage", "honolulu": "Pacific/Honolulu", "hawaii": "Pacific/Honolulu",
	"toronto": "America/Toronto", "ottawa": "America/Toronto", "montreal": "America/Toronto", "vancouver": "America/Vancouver",
	"halifax": "America/Halifax", "mexico city": "America/Mexico_City", "havana": "America/Havana", "panama": "America/Panama",
	"bogota": "America/Bogota", "bogotá": "America/Bogota", "lima": "America/Lima", "quito": "America/Guayaquil",
	"caracas": "America/Caracas", "santiago": "America/Santiago", "buenos aires": "America/Argentina/Buenos_Aires",
	"argentina": "America/Argentina/Buenos_Aires", "montevideo": "America/Montevideo", "sao paulo": "America/Sao_Paulo",
	"são paulo": "America/Sao_Paulo", "rio de janeiro": "America/Sao_Paulo", "brasilia": "America/Sao_Paulo",
	"sydney": "Australia/Sydney", "melbourne": "Australia/Melbourne", "brisbane": "Australia/Brisbane",
	"canberra": "Australia/Sydney", "adelaide": "Australia/Adelaide", "perth": "Australia/Perth",
	"auckland": "Pacific/Auckland", "wellington": "Pacific/Auckland", "new zealand": "Pacific/Auckland", "fiji": "Pacific/Fiji",
}
