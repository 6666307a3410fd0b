package build

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Bounds of what one miss may cost: a few milliseconds.
const (
	otherBuilds = 20      // records of other Dockerfiles that are looked through
	otherBytes  = 1 << 20 // of these
	closeBytes  = 512 << 10
	closeLists  = 3    // lists of files that are compared to choose between steps that are equally near
	maxAligned  = 1000 // instructions of a stage that are aligned
)

// candidate is a step of an earlier build that a miss may be compared with.
type candidate struct {
	build *BuildRecord
	step  *StepRecord
}

// nearest finds the step of earlier builds that a step is compared with: the one that stands for the same instruction and whose key has
// most in common with its key; of several the latest. If no build of the Dockerfile has such a step, one of the same words in any other
// build of the home counts.
func (st *stage) nearest(c *cache, now *StepRecord, step treeStep) (candidate, bool) {
	ch := st.session.story
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.load()
	var best []candidate
	most := 0
	for i := range ch.earlier {
		s := st.counterpart(i, now)
		if s == nil {
			continue
		}
		switch n := s.likeness(now); {
		case n > most:
			best, most = []candidate{{&ch.earlier[i], s}}, n
		case n == most:
			best = append(best, candidate{&ch.earlier[i], s})
		}
	}
	if len(best) == 0 {
		return ch.elsewhere(now)
	}
	return closest(c, best, step.inputs), true
}

// counterpart is the step of the earlier build i that stands for the same instruction, or nil.
func (st *stage) counterpart(i int, now *StepRecord) *StepRecord {
	b := &st.session.story.earlier[i]
	if st.aligned == nil {
		st.aligned = map[int][]*StepRecord{}
	}
	row, ok := st.aligned[i]
	if !ok {
		row = align(st.texts, b.stageSteps(st.planned.Index, st.planned.Name))
		st.aligned[i] = row
	}
	k := st.textOf(now)
	if k < 0 {
		return nil
	}
	return row[k]
}

// textOf is which of the stage's instructions a step is. A WORKDIR that makes no tree has a text and no step.
func (st *stage) textOf(now *StepRecord) int {
	for k := now.Place; k < len(st.texts); k++ {
		if st.texts[k] == now.Text {
			return k
		}
	}
	return -1
}

// stageSteps lists the steps of a stage, by its name if it has one, as numbers change when a stage is put in front.
func (b *BuildRecord) stageSteps(index int, name string) []*StepRecord {
	var list []*StepRecord
	for i := range b.Steps {
		if s := &b.Steps[i]; sameStage(s.Stage, s.StageName, index, name) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b *StepRecord) int { return a.Place - b.Place })
	return list
}

func sameStage(a int, aName string, b int, bName string) bool {
	if aName != "" && bName != "" {
		return strings.EqualFold(aName, bName)
	}
	return a == b && (aName == "") == (bName == "")
}

// align finds for each instruction the step of an earlier build that stands for it: the longest common run of equal texts first, then
// equal texts that moved, then those that stand in the same gap and begin with the same word, as an edited instruction does.
func align(texts []string, steps []*StepRecord) []*StepRecord {
	row := make([]*StepRecord, len(texts))
	if len(texts) > maxAligned || len(steps) > maxAligned {
		return row
	}
	taken := make([]bool, len(steps))
	for _, p := range common(texts, steps) {
		row[p[0]], taken[p[1]] = steps[p[1]], true
	}
	for i, text := range texts {
		for j, s := range steps {
			if row[i] == nil && !taken[j] && s.Text == text {
				row[i], taken[j] = s, true
			}
		}
	}
	for i := range texts {
		if row[i] == nil {
			if j := edited(row, steps, taken, texts, i); j >= 0 {
				row[i], taken[j] = steps[j], true
			}
		}
	}
	return row
}

// common is the longest common subsequence of equal texts, as pairs of indexes.
func common(texts []string, steps []*StepRecord) [][2]int {
	n, m := len(texts), len(steps)
	length := make([][]int, n+1)
	for i := range length {
		length[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if texts[i] == steps[j].Text {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var pairs [][2]int
	for i, j := 0, 0; i < n && j < m; {
		switch {
		case texts[i] == steps[j].Text:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// edited is the step that instruction i was before somebody edited it: one that nothing else stands for, between the same neighbours,
// of the same word. Of several instructions in the gap the one that is most like the step gets it.
func edited(row []*StepRecord, steps []*StepRecord, taken []bool, texts []string, i int) int {
	from, to := 0, len(steps)
	first, last := i, i // the gap in texts
	for ; first > 0 && row[first-1] == nil; first-- {
	}
	for ; last+1 < len(texts) && row[last+1] == nil; last++ {
	}
	if first > 0 {
		from = slices.Index(steps, row[first-1]) + 1
	}
	if last+1 < len(texts) {
		to = slices.Index(steps, row[last+1])
	}
	best, most := -1, 0
	for j := from; j < to; j++ {
		if taken[j] || word(steps[j].Text) != word(texts[i]) {
			continue
		}
		n := alike(steps[j].Text, texts[i])
		rival := slices.ContainsFunc(texts[first:last+1], func(t string) bool { return word(t) == word(texts[i]) && alike(steps[j].Text, t) > n })
		if !rival && n > most {
			best, most = j, n
		}
	}
	return best
}

// alike counts the words that two instructions begin and end with.
func alike(a, b string) (n int) {
	x, y := strings.Fields(a), strings.Fields(b)
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	for k := 1; k <= min(len(x), len(y))-n && x[len(x)-k] == y[len(y)-k]; k++ {
		n++
	}
	return n
}

// likeness is how much two steps that stand for the same instruction have in common.
func (s *StepRecord) likeness(now *StepRecord) int {
	a, b := s.Parts, now.Parts
	n := 1
	for _, c := range []struct {
		same   bool
		weight int
	}{
		{s.Key == now.Key, 64}, {s.Instruction == now.Instruction, 16}, {!s.Failed, 8}, {a.Parent == b.Parent, 4},
		{a.Inputs == b.Inputs, 2}, {slices.Equal(a.Env, b.Env) && slices.Equal(a.Args, b.Args), 2},
		{a.User == b.User && a.Workdir == b.Workdir && a.Network == b.Network, 1},
	} {
		if c.same {
			n += c.weight
		}
	}
	return n
}

// closest chooses between steps that are equally near, newest first: the one whose files differ least, as far as that is cheap to find out.
func closest(c *cache, list []candidate, inputs []Input) candidate {
	best, least, left := list[0], -1, int64(closeBytes)
	seen := map[digest.Digest]bool{}
	for _, one := range list {
		if len(inputs) == 0 || seen[one.step.Key] || len(seen) == closeLists {
			continue
		}
		seen[one.step.Key] = true
		fi, err := os.Stat(c.inputsPath(one.step.Key))
		if err != nil || fi.Size() > left {
			continue
		}
		left -= fi.Size()
		if n := len(inputChanges(c.inputs(one.step.Key), inputs)); least < 0 || n < least {
			best, least = one, n
		}
	}
	return best
}

// elsewhere looks for a step of the same words in builds of other Dockerfiles.
func (ch *chronicle) elsewhere(now *StepRecord) (candidate, bool) {
	if !ch.looked {
		ch.looked, ch.others = true, readNewest(ch.dir, otherBuilds, otherBytes, ch.ids)
	}
	var best candidate
	most := 0
	for i := range ch.others {
		b := &ch.others[i]
		for j := range b.Steps {
			if s := &b.Steps[j]; s.Instruction == now.Instruction {
				if n := s.likeness(now); n > most {
					best, most = candidate{b, s}, n
				}
			}
		}
	}
	return best, most > 0
}

// readNewest reads the newest records, at most count and of limit bytes together. Those named in skip, and what can't be read, are left out.
func readNewest(dir string, count int, limit int64, skip []string) []BuildRecord {
	files := recordFiles(dir)
	var list []BuildRecord
	for _, f := range files {
		if len(list) == count || f.size > limit {
			break
		}
		limit -= f.size
		if slices.Contains(skip, f.id) {
			continue
		}
		if b, err := readBuild(dir, f.id); err == nil {
			list = append(list, b)
		}
	}
	return list
}

// recordFile is a record of a build on disk.
type recordFile struct {
	id   string
	at   time.Time
	size int64
}

// recordFiles lists the records, newest first.
func recordFiles(dir string) []recordFile {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var files []recordFile
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if fi, err := e.Info(); err == nil && ok {
			files = append(files, recordFile{id, fi.ModTime(), fi.Size()})
		}
	}
	slices.SortStableFunc(files, func(a, b recordFile) int { return b.at.Compare(a.at) })
	return files
}

func word(s string) string {
	w, _, _ := strings.Cut(s, " ")
	return strings.ToUpper(w)
}

// load reads the earlier builds when the first step has missed.
func (ch *chronicle) load() {
	if ch.loaded {
		return
	}
	ch.loaded = true
	for _, id := range ch.ids {
		if b, err := readBuild(ch.dir, id); err == nil {
			ch.earlier = append(ch.earlier, b)
		}
	}
}

func readBuild(dir, id string) (b BuildRecord, err error) {
	if strings.Trim(id, "0123456789abcdef") != "" || id == "" {
		return b, fmt.Errorf("%q is no build's id: expected hexadecimal digits", id)
	}
	text, err := readSmall(filepath.Join(dir, id+".json"), maxBuildFile)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, fmt.Errorf("decode record of build %s: %w", id, err)
	}
	return b, nil
}
