package quiz

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Answer is what is kept of one answered question.
type Answer struct {
	Item
	Right  bool      `json:"right"`
	Belief string    `json:"misconception,omitempty"` // that a wrong answer showed
	At     time.Time `json:"at"`
}

// History is all answers, oldest first. It is a value: Add returns a new one.
type History struct {
	Answers []Answer `json:"answers"`
}

// ParseHistory reads what is kept in progress/quiz.json. leftOut says which answers can't be read, and which are about topics that
// there aren't; the latter are kept, for a program that knows them, and never come back here. An error says what was expected.
func ParseHistory(data []byte) (h History, leftOut []string, err error) {
	var file struct {
		Answers []json.RawMessage `json:"answers"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return History{}, nil, fmt.Errorf("line %d: %w; expected {\"answers\": [...]}", lineOf(data, err), err)
	}
	unknown := map[string]int{}
	for i, raw := range file.Answers {
		var a Answer
		if err := json.Unmarshal(raw, &a); err != nil {
			leftOut = append(leftOut, fmt.Sprintf("answer %d: %v", i+1, err))
			continue
		}
		if a.Topic == "" || a.Difficulty < MinDifficulty || a.Difficulty > MaxDifficulty || a.At.IsZero() {
			leftOut = append(leftOut, fmt.Sprintf("answer %d is incomplete; expected topic, seed, difficulty %d to %d, right and at", i+1, MinDifficulty, MaxDifficulty))
			continue
		}
		if !slices.Contains(Topics(), a.Topic) {
			unknown[a.Topic]++
		}
		h.Answers = append(h.Answers, a)
	}
	for _, topic := range slices.Sorted(maps.Keys(unknown)) {
		leftOut = append(leftOut, fmt.Sprintf("there is no topic %q any more, or not yet; answers about it: %d", topic, unknown[topic]))
	}
	return h, leftOut, nil
}

// lineOf is the line on which JSON is at fault.
func lineOf(data []byte, err error) int {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	offset := int64(0)
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	return 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n"))
}

// Add returns the history with one answer more.
func (h History) Add(a Answer) History {
	return History{append(slices.Clip(h.Answers), a)}
}

// Difficulty is that of the next question of a topic: one more after two right answers in a row, one less after a wrong
// one.
func (h History) Difficulty(topic string) int {
	level, row := MinDifficulty, 0
	for _, a := range h.Answers {
		switch {
		case a.Topic != topic:
		case !a.Right:
			level, row = max(MinDifficulty, a.Difficulty-1), 0
		case row == 1:
			level, row = min(MaxDifficulty, a.Difficulty+1), 0
		default:
			level, row = a.Difficulty, row+1
		}
	}
	return level
}

// spacing is how many days lie before each repetition of a question that was answered wrongly.
func spacing() []int { return []int{1, 3, 7} }

// Due lists the questions that come back, those that wait longest first: answered wrongly once, and since then right
// fewer than three times. An empty topic means all that there are.
func (h History) Due(topic string, now time.Time) []Item {
	type waiting struct {
		rights int
		last   time.Time
	}
	open, topics := map[Item]waiting{}, Topics()
	var order []Item
	for _, a := range h.Answers {
		w, again := open[a.Item]
		switch {
		case topic != "" && a.Topic != topic, !slices.Contains(topics, a.Topic):
			continue
		case !a.Right:
			w = waiting{0, a.At}
		case !again:
			continue
		case a.At.Sub(w.last) >= 12*time.Hour: // right again within a session doesn't count
			w = waiting{w.rights + 1, a.At}
		}
		if !again {
			order = append(order, a.Item)
		}
		open[a.Item] = w
	}
	days := spacing()
	order = slices.DeleteFunc(order, func(it Item) bool {
		w := open[it]
		return w.rights >= len(days) || now.Before(w.last.AddDate(0, 0, days[w.rights]))
	})
	slices.SortStableFunc(order, func(a, b Item) int { return open[a].last.Compare(open[b].last) })
	return order
}
