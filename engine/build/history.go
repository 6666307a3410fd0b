package build

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// history is the steps of the last build of one Dockerfile on one context, to compare with. It explains and decides
// nothing: if it is lost, reasons are less exact.
type history struct {
	path string
	last []historyStep
	now  []historyStep
}

type historyStep struct {
	Stage       int           `json:"stage"` // number in the Dockerfile, from 0
	Instruction string        `json:"instruction"`
	Key         digest.Digest `json:"key"`
}

const maxHistory = 16 << 20 // bytes

// openHistory reads the history of the build that is named by its Dockerfile, context and target.
func (c *cache) openHistory(dockerfile, contextDir, target string) {
	var id []string
	for _, p := range []string{dockerfile, contextDir} {
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		id = append(id, p)
	}
	name := oci.Sum([]byte(strings.Join(append(id, target), "\x00"))).Encoded()[:16]
	c.history.path = filepath.Join(c.dir, "last-"+name)
	b, err := readSmall(c.history.path, maxHistory)
	if err != nil || json.Unmarshal(b, &c.history.last) != nil {
		c.history.last = nil
	}
}

// add notes a step of this build.
func (h *history) add(stage int, instruction string, key digest.Digest) {
	h.now = append(h.now, historyStep{stage, instruction, key})
}

// nearest finds the step of the last build that the next step of this one is compared with: the same instruction, or
// else the one in the same place of the stage.
func (h *history) nearest(stage int, instruction string) (digest.Digest, bool) {
	place := 0
	for _, s := range h.now {
		if s.Stage == stage {
			place++
		}
	}
	var there *historyStep
	for i := range h.last {
		s := &h.last[i]
		if s.Stage != stage {
			continue
		}
		if s.Instruction == instruction {
			return s.Key, true
		}
		if place == 0 {
			there = s
		}
		place--
	}
	if there == nil || word(there.Instruction) != word(instruction) {
		return "", false
	}
	return there.Key, true
}

func word(s string) string {
	w, _, _ := strings.Cut(s, " ")
	return w
}

// saveHistory keeps the steps of this build. What a failed build did not come to is kept from the last one.
func (c *cache) saveHistory() error {
	h := &c.history
	if h.path == "" || len(h.now) == 0 {
		return nil
	}
	steps := h.now
	if len(h.last) > len(steps) {
		steps = append(steps, h.last[len(steps):]...)
	}
	b, err := json.MarshalIndent(steps, "", " ")
	if err != nil {
		return fmt.Errorf("encode build history: %w", err)
	}
	return home.WriteVolatile(h.path, b, 0o644)
}
