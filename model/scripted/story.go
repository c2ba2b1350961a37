package scripted

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
)

const (
	defaultWords = 200
	maxWords     = 2000
)

// writeStory returns a story of exactly the given number of words, always the same for the same request. Words are what
// strings.Fields counts.
func writeStory(words int, topic, request string) string {
	h := fnv.New64a()
	h.Write([]byte(request))
	r := rand.New(rand.NewPCG(h.Sum64(), uint64(words)))
	fill := cast(r, topic)
	var b strings.Builder
	left, inParagraph := words, 0
	say := func(sentence string) {
		switch {
		case b.Len() == 0:
		case inParagraph >= 5:
			b.WriteString("\n\n")
			inParagraph = 0
		default:
			b.WriteByte(' ')
		}
		b.WriteString(sentence)
		left -= len(strings.Fields(sentence))
		inParagraph++
	}
	longest := len(endings)
	for _, s := range openings {
		if s = fill.Replace(s); left-len(strings.Fields(s)) > longest {
			say(s)
		}
	}
	var deck []string
	for left > longest {
		if len(deck) == 0 {
			// Some of the sentences, in their order, about as many as are needed.
			deck = slices.DeleteFunc(slices.Clone(middles), func(string) bool { return r.IntN(12*len(middles)) > left })
			fill = cast(r, topic)
			continue
		}
		s := fill.Replace(deck[0])
		deck = deck[1:]
		if n := left - len(strings.Fields(s)); n > 0 {
			say(s)
		}
	}
	if left > 0 {
		say(endings[left-1])
	}
	return b.String()
}

// cast chooses who and what a chapter is about.
func cast(r *rand.Rand, topic string) *strings.Replacer {
	if topic == "" {
		topic = pick(r, topics)
	}
	if f := strings.Fields(topic); len(f) > 6 {
		topic = strings.Join(f[:6], " ")
	}
	return strings.NewReplacer("HERO", heroes[0], "FRIEND", pick(r, heroes[1:]), "PLACE", pick(r, places), "THING", pick(r, things), "TOPIC", topic)
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

var (
	heroes = []string{"Mira", "Tomas", "Ines", "Old Jonah", "Kofi", "Lena", "Aunt Petra", "Samir", "Yuki"}
	places = []string{"the harbour", "the market square", "the library", "the old mill", "the railway station", "the lighthouse", "the bakery", "the bridge"}
	things = []string{"a brass key", "a folded map", "a jar of honey", "a broken clock", "a blue lantern", "a wooden whistle", "a book without a cover", "a coil of rope"}
	topics = []string{"a letter that came late", "the lost bell", "a light on the water", "the garden behind the wall"}

	openings = []string{
		"This is a story about TOPIC.",
		"It begins with Mira, who lived above a workshop by the river and was known for asking one question too many.",
	}
	middles = []string{
		"On a grey morning HERO walked to PLACE and found FRIEND already waiting there.",
		"FRIEND had heard a rumour about TOPIC and could not keep quiet about it.",
		"“Nobody has spoken of that for years,” said HERO.",
		"They searched PLACE from one end to the other until the light began to fail.",
		"Under a loose stone lay THING, wrapped in paper and quite dry.",
		"HERO turned it over twice before daring to say a word.",
		"The wind changed, and with it the mood of everyone at PLACE.",
		"FRIEND laughed, but it was the careful laugh of somebody who is not sure.",
		"They shared some bread and counted what they knew.",
		"It was not much, and yet it was more than yesterday.",
		"In the evening HERO wrote everything down so that nothing would be lost.",
		"A stranger came by, asked the way to PLACE, and left THING on the table.",
		"“It is yours if you can tell me what it is for,” the stranger said.",
		"HERO thought of TOPIC and answered with another question.",
		"That pleased the stranger more than any answer could have done.",
		"For three days the rain kept them indoors, and they talked.",
		"FRIEND remembered a song from childhood, and one line of it made HERO stand up.",
		"The line spoke of THING and of a door that opens only from the inside.",
		"So they went back to PLACE, this time with a lamp.",
		"There was indeed a door, low and narrow, and it was not locked.",
		"Behind it the air was warm and smelled of apples.",
		"Somebody had lived here and had taken good care of every small thing.",
		"On the wall hung a drawing of TOPIC, done in a patient hand.",
		"HERO looked at it for a long time.",
		"“We should leave it as it is,” said FRIEND at last.",
		"They agreed to tell only those who would ask kindly.",
		"On the way home they met half the town, and nobody asked.",
		"Still, the days felt longer now, and the work went more easily.",
		"Every week HERO came back to PLACE to see whether anything had changed.",
		"Once there was THING on the doorstep, with a note that said thank you.",
		"FRIEND kept the note and never showed it to anyone.",
		"Some said that luck had moved into the street.",
		"HERO did not believe in luck, only in looking twice.",
		"When winter came they lit a fire and told the tale from the beginning.",
		"Each time a little more of it turned out to be true.",
	}
	// endings has one sentence for each number of words, from one.
	endings = []string{
		"Done.",
		"The end.",
		"So it ended.",
		"And all was well.",
		"They went home at last.",
		"And that was all of it.",
		"After that the whole town slept well.",
		"Nobody ever found out who had begun it.",
		"Mira closed the book and put out the lamp.",
		"In the morning the river was quiet and very bright.",
		"From that day on the door was never locked by anyone.",
		"And if you ask kindly, somebody there will still tell you this.",
		"Mira kept the key, and that is how the story came to me.",
	}
)
