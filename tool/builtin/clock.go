package builtin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on machines that have no database of them, too
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"github.com/netra-systems/switchboard/tool"
)

// Clock tells the time in any zone of the IANA database, also by the name of a city. It is idempotent.
type Clock struct{}

// Definition implements tool.Tool.
func (Clock) Definition() tool.Definition {
	return tool.Definition{
		Name:  "clock",
		Title: "Looks at the clock",
		Description: "Tells the current date and time. Without a zone: UTC. The zone is an IANA name (Europe/Berlin) " +
			"or the name of a large city (Tokyo).",
		Schema: json.RawMessage(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",` +
			`"properties":{"zone":{"type":"string","maxLength":64,"description":"IANA zone or city"}},"additionalProperties":false}`),
		ReadOnly:   true,
		Idempotent: true,
	}
}

// Call implements tool.Tool.
func (Clock) Call(_ context.Context, in tool.Invocation) (json.RawMessage, error) {
	var args struct {
		Zone string `json:"zone"`
	}
	if err := decode(in.Arguments, &args); err != nil {
		return nil, err
	}
	zone, err := findZone(args.Zone)
	if err != nil {
		return nil, err
	}
	now := time.Now().In(zone)
	name := now.Format("MST") // a figure where a zone has no letters
	if offset := "UTC" + now.Format("-07:00"); strings.Trim(name, "+-0123456789") == "" {
		name = offset
	} else if name != "UTC" {
		name += ", " + offset
	}
	return encode(struct {
		Zone    string `json:"zone"`
		Time    string `json:"time"`
		Weekday string `json:"weekday"`
		Text    string `json:"text"`
	}{
		zone.String(), now.Format(time.RFC3339), now.Weekday().String(),
		fmt.Sprintf("%s (%s)", now.Format("Monday, 2 January 2006, 15:04:05"), name),
	})
}

// areas are the first parts of zone names, in the order in which a city is looked for.
var areas = []string{
	"Europe", "America", "Asia", "Africa", "Australia", "Pacific", "Atlantic", "Indian", "America/Argentina",
	"America/Indiana", "America/Kentucky", "America/North_Dakota", "Antarctica", "Arctic",
}

// findZone finds a zone by its name or that of a city, in any case and with spaces.
func findZone(s string) (*time.Location, error) {
	name := words(s)
	switch name {
	case "":
		if strings.TrimSpace(s) != "" {
			return nil, unknownZone()
		}
		return time.UTC, nil
	case "utc", "gmt", "z", "zulu", "etc/utc", "universal":
		return time.UTC, nil
	case "local": // means the server's own, which is nobody's business
		return nil, unknownZone()
	}
	if len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_+-/") != "" {
		return nil, unknownZone()
	}
	if zone, ok := cities[name]; ok {
		return time.LoadLocation(zone)
	}
	spellings := []string{titled(name), strings.ToUpper(name)}
	if exact := strings.ReplaceAll(strings.TrimSpace(s), " ", "_"); strings.ToLower(exact) == name {
		spellings = append([]string{exact}, spellings...)
	}
	for _, spelling := range spellings {
		if zone, err := time.LoadLocation(spelling); err == nil {
			return zone, nil
		}
	}
	if !strings.Contains(name, "/") {
		for _, area := range areas {
			if zone, err := time.LoadLocation(area + "/" + titled(name)); err == nil {
				return zone, nil
			}
		}
	}
	return nil, unknownZone()
}

func unknownZone() error {
	return invalid("unknown zone: use an IANA name as Europe/Berlin, or a large city").At("zone")
}

// words returns a name in small letters without accents, its words joined as in zone names.
func words(s string) string {
	plain := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	s, _, _ = transform.String(plain, strings.ToLower(s))
	return strings.Join(strings.Fields(strings.NewReplacer("_", " ", ",", " ", ".", "").Replace(s)), "_")
}

// titled writes a name as zone names are written: Port-au-Prince, Dar_es_Salaam, New_York.
func titled(name string) string {
	b := []byte(name)
	start := true
	for i, c := range b {
		if start && c >= 'a' && c <= 'z' {
			b[i] -= 'a' - 'A'
		}
		start = c == '_' || c == '/' || c == '-'
	}
	return strings.NewReplacer("_Of_", "_of_", "_Es_", "_es_", "-Au-", "-au-", "-Es-", "-es-").Replace(string(b))
}

// cities are places that people name and the database does not.
var cities = map[string]string{
	"abu_dhabi": "Asia/Dubai", "ahmedabad": "Asia/Kolkata", "atlanta": "America/New_York", "austin": "America/Chicago",
	"bangalore": "Asia/Kolkata", "barcelona": "Europe/Madrid", "basel": "Europe/Zurich", "beijing": "Asia/Shanghai",
	"bengaluru": "Asia/Kolkata", "bern": "Europe/Zurich", "birmingham": "Europe/London", "bonn": "Europe/Berlin",
	"boston": "America/New_York", "brasilia": "America/Sao_Paulo", "calgary": "America/Edmonton", "canberra": "Australia/Sydney",
	"cape_town": "Africa/Johannesburg", "chennai": "Asia/Kolkata", "cologne": "Europe/Berlin", "dallas": "America/Chicago",
	"delhi": "Asia/Kolkata", "doha": "Asia/Qatar", "dusseldorf": "Europe/Berlin", "edinburgh": "Europe/London",
	"florence": "Europe/Rome", "frankfurt": "Europe/Berlin", "geneva": "Europe/Zurich", "glasgow": "Europe/London",
	"guangzhou": "Asia/Shanghai", "hamburg": "Europe/Berlin", "hanoi": "Asia/Ho_Chi_Minh", "houston": "America/Chicago",
	"hyderabad": "Asia/Kolkata", "islamabad": "Asia/Karachi", "kyoto": "Asia/Tokyo", "krakow": "Europe/Warsaw",
	"las_vegas": "America/Los_Angeles", "la": "America/Los_Angeles", "lyon": "Europe/Paris", "manchester": "Europe/London",
	"marseille": "Europe/Paris", "melbourne": "Australia/Melbourne", "mexico": "America/Mexico_City", "miami": "America/New_York",
	"milan": "Europe/Rome", "minneapolis": "America/Chicago", "mountain_view": "America/Los_Angeles", "mumbai": "Asia/Kolkata",
	"munich": "Europe/Berlin", "nagoya": "Asia/Tokyo", "naples": "Europe/Rome", "new_delhi": "Asia/Kolkata",
	"nyc": "America/New_York", "new_york_city": "America/New_York", "osaka": "Asia/Tokyo", "ottawa": "America/Toronto",
	"philadelphia": "America/New_York", "porto": "Europe/Lisbon", "portland": "America/Los_Angeles", "pune": "Asia/Kolkata",
	"quebec": "America/Toronto", "rio": "America/Sao_Paulo", "rio_de_janeiro": "America/Sao_Paulo",
	"saint_petersburg": "Europe/Moscow", "salt_lake_city": "America/Denver", "san_diego": "America/Los_Angeles",
	"san_francisco": "America/Los_Angeles", "san_jose": "America/Los_Angeles", "seattle": "America/Los_Angeles",
	"seville": "Europe/Madrid", "sf": "America/Los_Angeles", "shenzhen": "Asia/Shanghai", "stuttgart": "Europe/Berlin",
	"st_petersburg": "Europe/Moscow", "the_hague": "Europe/Amsterdam", "turin": "Europe/Rome", "valencia": "Europe/Madrid",
	"venice": "Europe/Rome", "washington": "America/New_York", "washington_dc": "America/New_York",
	"wellington": "Pacific/Auckland", "zuerich": "Europe/Zurich", "kiev": "Europe/Kyiv", "koln": "Europe/Berlin",
	"munchen": "Europe/Berlin", "wien": "Europe/Vienna", "roma": "Europe/Rome", "lisboa": "Europe/Lisbon",
}
