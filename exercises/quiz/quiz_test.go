package quiz

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

func TestMakeRepeats(t *testing.T) {
	for _, topic := range Topics() {
		for d := MinDifficulty; d <= MaxDifficulty; d++ {
			it := Item{topic, 7, d}
			a, err := Make(it)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := Make(it)
			other, _ := Make(Item{topic, 8, d})
			if a.Prompt != b.Prompt || !reflect.DeepEqual(a.Choices, b.Choices) || !reflect.DeepEqual(a.Steps, b.Steps) {
				t.Errorf("%v is another question the second time", it)
			}
			if reflect.DeepEqual(a.Steps, other.Steps) && a.Prompt == other.Prompt {
				t.Errorf("%v is the same with the next seed", it)
			}
		}
	}
}

func TestMakeRefuses(t *testing.T) {
	for _, it := range []Item{{"cash", 1, 1}, {"cache", 1, 0}, {"cache", 1, 6}} {
		if _, err := Make(it); err == nil || !strings.Contains(err.Error(), "make a question") {
			t.Errorf("%v: error is %v", it, err)
		}
	}
}

// deadEngine does nothing; its commands end with code.
type deadEngine struct {
	code   int
	events []trace.Event
}

func (e deadEngine) Run(context.Context, []string, lessons.Streams, string, []string) int {
	return e.code
}
func (e deadEngine) Trace(_ context.Context, since uint64) ([]trace.Event, error) {
	return e.events[min(int(since), len(e.events)):], nil
}
func (deadEngine) Reset(context.Context) error { return nil }
func (deadEngine) Home() string                { return "/home" }

// TestAskRefuses: the key follows from the trace alone, so an engine that did nothing makes no question.
func TestAskRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		engine deadEngine
		topic  string
		want   string
	}{
		"failed command": {deadEngine{code: 3}, "cache", "exit code 3"},
		"no image":       {deadEngine{}, "layers", "trace"},
		"no evidence":    {deadEngine{events: []trace.Event{{Seq: 1, Kind: vocab.Command}}}, "cache", ""},
	} {
		_, err := Ask(t.Context(), c.engine, t.TempDir(), Item{c.topic, 1, 1})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "seed 1") {
			t.Errorf("%s: error is %v; want %q in it", name, err, c.want)
		}
	}
}

func TestSettle(t *testing.T) {
	a, b := Choice{"a", "M-A"}, Choice{"b", "M-B"}
	for name, c := range map[string]struct {
		choices []Choice
		proof   []string
		want    string
	}{
		"good":          {[]Choice{b, a}, []string{"event 1"}, ""},
		"no right one":  {[]Choice{b}, []string{"event 1"}, "no choice"},
		"two the same":  {[]Choice{a, b, b}, []string{"event 1"}, "two choices"},
		"only one":      {[]Choice{a}, []string{"event 1"}, "only choice"},
		"no evidence":   {[]Choice{a, b}, nil, "no event"},
		"no belief":     {[]Choice{a, {"c", ""}}, []string{"event 1"}, "misconception"},
		"right without": {[]Choice{{"a", ""}, b}, []string{"event 1"}, ""},
	} {
		q := Question{Choices: c.choices, Evidence: c.proof}
		err := q.settle([]string{"a"})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v; want %q", name, err, c.want)
		}
		if err == nil && q.Key() != "a" {
			t.Errorf("%s: the key is %q", name, q.Key())
		}
	}
}

func TestJudge(t *testing.T) {
	choices := []Choice{{"4", "M-A"}, {"2", "M-D"}, {"7", "M-B"}}
	right := map[Kind][]int{ByChoice: {1}, ByNumber: {1}, ByMulti: {0, 1}, ByOrder: {1, 2, 0}}
	for _, c := range []struct {
		kind   Kind
		given  string
		right  bool
		belief string
		faulty bool
	}{
		{ByChoice, "2", true, "", false}, {ByChoice, " 3 ", false, "M-B", false}, {ByChoice, "4", false, "", true}, {ByChoice, "0", false, "", true},
		{ByChoice, "x", false, "", true}, {ByChoice, "1 2", false, "", true},
		{ByNumber, "2", true, "", false}, {ByNumber, "7", false, "M-B", false}, {ByNumber, "5", false, "", false}, {ByNumber, "-1", false, "", true}, {ByNumber, "", false, "", true},
		{ByMulti, "2, 1", true, "", false}, {ByMulti, "1 2 3", false, "M-B", false}, {ByMulti, "1", false, "M-D", false}, {ByMulti, "1 1", false, "", true}, {ByMulti, " ", false, "", true},
		{ByOrder, "2 3 1", true, "", false}, {ByOrder, "3 2 1", false, "M-C", false}, {ByOrder, "1,2,3", false, "", false}, {ByOrder, "2 3", false, "", true},
	} {
		q := Question{Kind: c.kind, Choices: choices, Right: right[c.kind], Orders: []Sequence{{[]string{"7", "2", "4"}, "M-C"}}}
		right, belief, err := q.Judge(c.given)
		if right != c.right || belief != c.belief || (err != nil) != c.faulty {
			t.Errorf("%+v: got %v, %q, %v", c, right, belief, err)
		}
	}
}

func TestSettleKinds(t *testing.T) {
	all := []Choice{{"a", "M-A"}, {"b", "M-B"}, {"c", "M-C"}}
	wrong := []Sequence{{[]string{"a", "b", "c"}, "M-A"}}
	for name, c := range map[string]struct {
		kind Kind
		key  []string
		want string
	}{
		"some":               {ByMulti, []string{"c", "a"}, ""},
		"all are right":      {ByMulti, []string{"c", "a", "b"}, "all choices"},
		"none":               {ByMulti, nil, "nothing"},
		"one twice":          {ByMulti, []string{"a", "a"}, "twice"},
		"order":              {ByOrder, []string{"c", "a", "b"}, ""},
		"order of some":      {ByOrder, []string{"c", "a"}, "2 of 3"},
		"the wrong is right": {ByOrder, []string{"a", "b", "c"}, "no wrong order"},
		"two for one":        {ByChoice, []string{"a", "b"}, "expected one"},
	} {
		q := Question{Kind: c.kind, Choices: all, Orders: wrong, Evidence: []string{"event 1"}}
		err := q.settle(c.key)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v; want %q", name, err, c.want)
		}
	}
}

func at(day, hour int) time.Time { return time.Date(2026, 3, day, hour, 0, 0, 0, time.UTC) }

func TestDue(t *testing.T) {
	it := Item{"cache", 4, 2}
	says := func(day int, right bool) Answer { return Answer{Item: it, Right: right, At: at(day, 12)} }
	for name, c := range map[string]struct {
		answers  []Answer
		day      int
		expected bool
	}{
		"never wrong":            {[]Answer{says(1, true)}, 30, false},
		"wrong, same day":        {[]Answer{says(1, false)}, 1, false},
		"wrong, next day":        {[]Answer{says(1, false)}, 2, true},
		"right in that session":  {[]Answer{says(1, false), {Item: it, Right: true, At: at(1, 13)}}, 2, true},
		"right once, 2 days":     {[]Answer{says(1, false), says(2, true)}, 4, false},
		"right once, 3 days":     {[]Answer{says(1, false), says(2, true)}, 5, true},
		"right twice, 7 days":    {[]Answer{says(1, false), says(2, true), says(5, true)}, 12, true},
		"right three times":      {[]Answer{says(1, false), says(2, true), says(5, true), says(12, true)}, 30, false},
		"wrong again begins new": {[]Answer{says(1, false), says(2, true), says(5, false)}, 6, true},
	} {
		h := History{c.answers}
		if got := len(h.Due("cache", at(c.day, 12))) == 1; got != c.expected {
			t.Errorf("%s: due is %v", name, got)
		}
		if len(h.Due("layers", at(c.day, 12))) != 0 {
			t.Errorf("%s: due in another topic", name)
		}
	}
}

func TestDifficulty(t *testing.T) {
	for _, c := range []struct {
		rights string // + right, - wrong, at the difficulty that was then asked
		want   int
	}{{"", 1}, {"+", 1}, {"++", 2}, {"++++", 3}, {"++-", 1}, {"-", 1}, {"++++++++++++", 5}, {"++++-+", 2}, {"+-+", 1}} {
		h := History{}
		for _, r := range c.rights {
			h = h.Add(Answer{Item: Item{"cache", 1, h.Difficulty("cache")}, Right: r == '+', At: at(1, 1)})
			h = h.Add(Answer{Item: Item{"layers", 1, 5}, At: at(1, 1)})
		}
		if got := h.Difficulty("cache"); got != c.want {
			t.Errorf("%q: difficulty %d; want %d", c.rights, got, c.want)
		}
	}
}

func TestParseHistoryLeavesOut(t *testing.T) {
	h, leftOut, err := ParseHistory([]byte(`{"answers": [
		{"topic": "cache", "seed": 1, "difficulty": 2, "right": false, "at": "2026-03-01T12:00:00Z"},
		{"topic": "cash", "seed": 1, "difficulty": 2, "right": false, "at": "2026-03-01T12:00:00Z"},
		{"topic": "cache", "seed": 1, "difficulty": 9, "right": false, "at": "2026-03-01T12:00:00Z"},
		"nothing"]}`))
	if err != nil || len(h.Answers) != 2 || len(leftOut) != 3 {
		t.Fatalf("%d answers, left out %q, error %v; want 2 answers and 3 left out", len(h.Answers), leftOut, err)
	}
	for i, want := range []string{"answer 3 is incomplete", "answer 4: ", `no topic "cash"`} {
		if !strings.Contains(leftOut[i], want) {
			t.Errorf("left out %q; want %q in it", leftOut[i], want)
		}
	}
	if due := h.Due("", at(9, 12)); len(due) != 1 || due[0].Topic != "cache" {
		t.Errorf("due are %v; want the one about cache", due)
	}
}

func FuzzParseHistory(f *testing.F) {
	f.Add([]byte(`{"answers":[{"topic":"cache","seed":1,"difficulty":2,"right":false,"at":"2026-03-01T12:00:00Z"}]}`))
	f.Add([]byte(`{"answers":[{"topic":"","seed":1}]}`))
	f.Add([]byte("{\n\n[]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, _, err := ParseHistory(data)
		if err != nil {
			return
		}
		for _, a := range h.Answers {
			if d := h.Difficulty(a.Topic); d < MinDifficulty || d > MaxDifficulty {
				t.Errorf("difficulty %d", d)
			}
		}
		h.Due("", at(1, 1))
	})
}

func TestFields(t *testing.T) {
	got := fields("docker run app sh -c 'exit  3' x")
	if want := []string{"docker", "run", "app", "sh", "-c", "exit  3", "x"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

// TestPlans: all plans have something to choose from, and beliefs of the catalogue.
func TestPlans(t *testing.T) {
	beliefs, err := lessons.Misconceptions()
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range Topics() {
		for i := range 500 {
			p, err := Make(Item{topic, uint64(i), 1 + i%MaxDifficulty})
			if err != nil {
				t.Fatal(err)
			}
			without := 0
			for _, c := range p.Choices {
				if _, known := beliefs[c.Belief]; c.Belief == "" {
					without++
				} else if !known {
					t.Errorf("%s, seed %d: %q is not in the catalogue", topic, i, c.Belief)
				}
			}
			for _, s := range p.Orders {
				if _, known := beliefs[s.Belief]; !known {
					t.Errorf("%s, seed %d: %q is not in the catalogue", topic, i, s.Belief)
				}
			}
			if p.Kind == ByOrder {
				continue
			}
			if len(p.Choices) < 2 || without > 1 || without > 0 && p.Kind == ByMulti {
				t.Errorf("%s, seed %d: choices are %v", topic, i, p.Choices)
			}
		}
	}
}
