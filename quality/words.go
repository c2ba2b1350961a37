package quality

import "strings"

// set makes a set of the words of a text.
func set(words string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(words) {
		out[w] = true
	}
	return out
}

// stopWords carry no meaning of their own.
var stopWords = set(`a an and any are as at be been being but by can could did do does doing done for from had has have having he
her him his how i if in into is it its just me more most my no nor not now of off on one or our out over own per she should
so some such than that the their them then there these they this those to too two under until up us very was we were what
when where which while who whom whose why will with would you your about after again all also am because before between both
each few further here much must only other same since through until via within without upon many may might yes cannot don't
it's i'm you're that's there's let's der die das und ist ein eine zu mit den von sie im dem auf nicht es für wie bei kann`)

// vagueWords stand where something should be said.
var vagueWords = set(`various several things thing something somehow someone somewhere factors aspects ways approaches options
different certain appropriate properly generally usually sometimes possible possibly perhaps maybe might may could interesting
good better great nice important right suitable necessary relevant situation issue issues areas area activities challenges
progress development overall many some depends depend consider try help improve improved improving successful success
positive normal special kind sort lot lots really simply basically quite feel viele faktoren wichtig richtig`)

// actionWords begin a clause that tells what to do.
var actionWords = set(`add adjust agree allow answer apply arrange ask assign attach avoid ban batch begin block book bring build buy calculate call cancel
change charge check choose clean click close collect compare configure confirm connect convert copy count cover create cut
decide delete deploy describe disable divide do download draft draw drop edit email enable end enter estimate exclude export expose
fill filter find fit fix flag flick follow force freeze get give group grow hand hire hold identify include increase inform install insulate
invite keep knock lay leave let limit list load lock log look lower make map mark measure merge migrate monitor mount move name note
notify offer open order pack park pass paste pay phone pick place plan plant plot post practise prepare press print profile publish
pull push put raise read rebuild record reduce register rehearse reload remove rename repeat replace reply report request reserve reset restart
restore review revoke roll rotate run save say schedule seal search see select sell send separate serve set share ship show shrink skip sort
sow spend split stand start state stop store subtract swap switch take talk tell test think track train transfer treat trim
try turn type update upgrade use verify visit wait walk warm wash watch water weigh write zip compute inspect virtualise
prüfen stellen tauen lassen schalten schicken öffnen`)

// units make a number say of what it is.
var units = set(`percent points point second seconds minute minutes hour hours day days week weeks month months year years ms s h min km m cm mm kg g
litre litres liter liters metre metres gb mb kb tb bytes euro euros dollar dollars people persons users customers engineers runs rows times
requests tickets visits leads sales pieces calls steps questions items lines words percentile sd am pm °c degrees boxes logins
tests servers pages files nodes runners shards crashes reports answers children signups conversions defects parcels sessions kwh`)

// genericPhrases say nothing about anything in particular. Each is a run of words.
var genericPhrases = phrases(`best practices|at the end of the day|it is important to|it is always important|think outside the box|leverage|leveraging|synergy
synergies|holistic|paradigm|best-in-class|cutting-edge|game changer|win-win|stakeholders|unlock|going forward|move the needle|digital transformation
innovation|seamless|drive value|drive impact|drive efficiency|right mindset|mindset|many factors|a variety of|various approaches|different options|and so on
take it to the next level|the next level|hidden gems|something for everyone|vibrant|immerse yourself|is a journey|enjoy the journey|communication is key
is the key|the key to|key to success|believe in yourself|stay motivated|positive energy|never give up|listen to your body|every voice matters
the heart of|the heartbeat of|tell a story|powerful story|new oil|customer experience|at scale|across the board|in a professional manner
as soon as possible|inconvenience|try again later|contact your administrator|is an interesting|is a great|great practice|amazing|fascinating
culture of|lead by example|hit the ground running|be the change|empower|overcome|we are confident|made good progress|going well|keep up|with passion
with patience|open communication|trusted partner|value to your|engage your audience|build a community|step by step|improve continuously
can be good or|advantages and disadvantages|it depends on how|personal preferences|opinions differ|in many different|in one way or|user friendly
great experience|needs and|make sure that all|what you really want|mutual understanding|it is what it is|do not worry|every situation is different
ask an expert|search online|more information about|versuchen sie es später|viele faktoren|es ist wichtig|memories that will|wonderful experience
next-generation|robust|proactively|end-to-end|consistency is`)

// claims are made of what nobody can know so surely. Each is a run of words.
var claims = phrases(`definitely|guaranteed|guarantee|without exception|without any exception|no doubt|without any doubt|without doubt|always works
everyone knows|everybody knows|anyone can see|well-known fact|experts agree|experts confirm|all experts|every expert|expert will confirm
scientists agree|scientists have proven|every scientist|studies prove|studies show|every study|all studies|research has shown|research has proven
research has definitely|has been proven|have proven|is proven|was proven|proven by|as proven|proves that|data proves|proof|100%|absolute
absolutely|certainly|will ever|never any|will never|can never|never be|impossible|totally|completely safe|completely disappear|every customer|all customers
always rises|always increases|always means|always leads|always exactly|always be|always doubles|always reach|always unnecessary|in all cases
best ever|best method ever|that is a fact|it is a fact|all doctors|cures every|never again|nothing to worry|no evidence at all|no other reason
perfect|without any effort|ever found|must be true|undeniable|it is certain|there is no alternative`)

// because are the words between what is claimed and its ground.
var because = set(`because since as so therefore thus hence means when if why`)

// phrases makes a set of runs of words, by their first word.
func phrases(list string) map[string][][]string {
	out := map[string][][]string{}
	for p := range strings.SplitSeq(strings.ReplaceAll(list, "\n", "|"), "|") {
		if w := strings.Fields(p); len(w) > 0 {
			out[w[0]] = append(out[w[0]], w)
		}
	}
	return out
}

// count counts the runs of words that a text has, and the clauses that have one.
func (t *text) count(list map[string][][]string) (runs, clauses int) {
	for _, c := range t.clauses {
		found := 0
		for i := c.from; i < c.to; i++ {
			for _, p := range list[t.tokens[i].word] {
				if t.has(i, c.to, p) {
					found++
					break
				}
			}
		}
		if runs += found; found > 0 {
			clauses++
		}
	}
	return runs, clauses
}

func (t *text) has(at, end int, phrase []string) bool {
	if at+len(phrase) > end {
		return false
	}
	for i, w := range phrase {
		if t.tokens[at+i].word != w {
			return false
		}
	}
	return true
}
