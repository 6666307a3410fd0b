package lessons

import (
	"bytes"
	"fmt"

	"gopkg.in/yaml.v3"
)

// Misconception is something that learners often believe, and the answer to it.
type Misconception struct {
	ID         string `yaml:"id"`
	Claim      string `yaml:"claim"`      // as a learner would say it
	Refutation string `yaml:"refutation"` // one or two sentences
	Evidence   string `yaml:"evidence"`   // where it can be seen
	Line       int    `yaml:"-"`          // in the catalogue's file
}

// Misconceptions returns the catalogue by id. An error means that the program was built from a faulty one.
func Misconceptions() (map[string]Misconception, error) {
	source, err := content.ReadFile("content/misconceptions.yaml")
	if err != nil {
		return nil, fmt.Errorf("read misconceptions: %w", err)
	}
	return parseMisconceptions(source)
}

func parseMisconceptions(source []byte) (map[string]Misconception, error) {
	var list []Misconception
	d := yaml.NewDecoder(bytes.NewReader(source))
	d.KnownFields(true)
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("parse misconceptions: %w", err)
	}
	lines := make([]yaml.Node, 0, len(list))
	if err := yaml.Unmarshal(source, &lines); err != nil {
		return nil, fmt.Errorf("parse misconceptions: %w", err)
	}
	byID := make(map[string]Misconception, len(list))
	for i, m := range list {
		if _, taken := byID[m.ID]; taken || !isMisconception(m.ID) {
			return nil, fmt.Errorf("parse misconceptions: id %q is there twice or not of the form M-LAYER-COPY", m.ID)
		}
		if m.Claim == "" || m.Refutation == "" || m.Evidence == "" {
			return nil, fmt.Errorf("parse misconceptions: %s is incomplete; expected claim, refutation and evidence", m.ID)
		}
		m.Line = lines[i].Line
		byID[m.ID] = m
	}
	return byID, nil
}
