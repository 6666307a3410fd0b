package build

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// BuildRecord is what is kept of one build, in cache/builds/ID.json: what each step came to, and why. It explains and decides nothing:
// if it is lost, reasons are less exact.
type BuildRecord struct {
	ID         string        `json:"id"`
	Dockerfile string        `json:"dockerfile"` // absolute path, or what it was called
	Context    string        `json:"context"`
	Target     string        `json:"target,omitempty"`
	Began      time.Time     `json:"began"`
	Seconds    float64       `json:"seconds"`
	Image      digest.Digest `json:"image,omitempty"` // its id
	Tags       []string      `json:"tags,omitempty"`
	Error      string        `json:"error,omitempty"` // first line
	Hits       int           `json:"hits"`
	Misses     int           `json:"misses"`
	Steps      []StepRecord  `json:"steps"` // those that make a tree, in the order of the file
}

// StepRecord is what one step of a build came to.
type StepRecord struct {
	Stage       int           `json:"stage"`                // number in the Dockerfile, from 0
	StageName   string        `json:"stage_name,omitempty"` // of AS
	Place       int           `json:"place"`                // among the stage's steps that make a tree, from 0
	Line        int           `json:"line"`
	Text        string        `json:"text"`        // as written
	Instruction string        `json:"instruction"` // as in the key
	Key         digest.Digest `json:"key"`
	Parent      digest.Digest `json:"parent,omitempty"`
	Hit         bool          `json:"hit"`
	Reason      *Reason       `json:"reason,omitempty"` // of a miss
	Seconds     float64       `json:"seconds"`          // what it took: now, or when its result was made
	Bytes       int64         `json:"bytes"`            // of its layer
	Failed      bool          `json:"failed,omitempty"`
}

const (
	keptBuilds   = 200      // records of builds that are kept in all
	nearBuilds   = 10       // earlier builds of a Dockerfile that a step is compared with
	maxBuildFile = 16 << 20 // bytes
)

// chronicle is the record of a build under way, and those of earlier builds of the same Dockerfile.
type chronicle struct {
	dir   string // of the records
	index string // file with the ids of the earlier builds, newest first

	mu      sync.Mutex
	now     BuildRecord
	ids     []string
	earlier []BuildRecord
	loaded  bool
}

func (c *cache) builds() string { return filepath.Join(c.dir, "builds") }

// begin opens the chronicle of the build that is named by its Dockerfile, context and target.
func (c *cache) begin(b *Builder, dockerfile string, o Options) (*chronicle, error) {
	var random [6]byte
	if _, err := io.ReadFull(b.Random, random[:]); err != nil {
		return nil, fmt.Errorf("name build: %w", err)
	}
	r := BuildRecord{ID: hex.EncodeToString(random[:]), Dockerfile: absolute(dockerfile), Context: o.source(), Target: o.Target, Began: driver.Now(b.runtime).UTC()}
	if o.From == nil {
		r.Context = absolute(o.ContextDir)
	} else {
		r.Dockerfile = filepath.Base(dockerfile)
	}
	name := oci.Sum([]byte(strings.Join([]string{r.Dockerfile, r.Context, r.Target}, "\x00"))).Encoded()[:16]
	ch := &chronicle{dir: c.builds(), index: filepath.Join(c.dir, "last-"+name), now: r}
	if text, err := readSmall(ch.index, maxRecord); err == nil {
		ch.ids = strings.Fields(string(text))
	}
	return ch, nil
}

func absolute(p string) string {
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return p
}

// add notes a step of this build.
func (ch *chronicle) add(s StepRecord) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.now.Steps = append(ch.now.Steps, s)
}

// keys lists the keys of the steps so far: of some stages, or of all. Of failed steps there is no result.
func (ch *chronicle) keys(stages []int, all bool) []digest.Digest {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	var keys []digest.Digest
	for _, s := range ch.now.Steps {
		if !s.Failed && (all || slices.Contains(stages, s.Stage)) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// note begins the record of a step.
func (st *stage) note(step treeStep, key digest.Digest) StepRecord {
	place := st.places
	st.places++
	return StepRecord{Stage: st.planned.Index, StageName: st.planned.Name, Place: place, Line: step.in.Line, Text: step.in.Text,
		Instruction: step.key.Instruction, Key: key, Parent: step.key.Parent}
}

// took completes it.
func (s *StepRecord) took(rec Record, hit bool, err error) {
	s.Seconds, s.Bytes, s.Failed = rec.Seconds, rec.Bytes, err != nil
	s.Hit = hit
}

// nearest finds the step of earlier builds that a step is compared with: of the same instruction, or else of one in the same place of
// the stage that begins with the same word; of several the one that has more in common with it, and of those the latest.
func (ch *chronicle) nearest(stage, place int, k Key) (digest.Digest, bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.load()
	var best digest.Digest
	most := 0
	for _, b := range ch.earlier {
		for _, s := range b.Steps {
			if s.Stage != stage || s.Failed {
				continue
			}
			if n := s.likeness(place, k); n > most {
				best, most = s.Key, n
			}
		}
	}
	return best, most > 0
}

// likeness is how much a step of an earlier build has in common with one in place whose key is k; 0 is nothing.
func (s *StepRecord) likeness(place int, k Key) int {
	same, there := s.Instruction == k.Instruction, s.Place == place
	if !same && (!there || word(s.Instruction) != word(k.Instruction)) {
		return 0
	}
	n := 1
	if same {
		n += 8
	}
	if s.Parent == k.Parent {
		n += 4
	}
	if there {
		n += 2
	}
	return n
}

func word(s string) string {
	w, _, _ := strings.Cut(s, " ")
	return w
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
		return b, fmt.Errorf("%q is no build's id", id)
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

// end completes the record and keeps it, unless the build was a dry run.
func (ch *chronicle) end(s *session, res *Result, failed error) (BuildRecord, error) {
	r := &ch.now
	r.Seconds, r.Image, r.Hits, r.Misses = seconds(driver.Now(s.runtime).Sub(r.Began)), res.Image.ID, s.hits, s.misses
	for _, t := range s.opts.Tags {
		r.Tags = append(r.Tags, t.String())
	}
	if failed != nil {
		r.Error = firstLine(failed.Error())
	}
	slices.SortStableFunc(r.Steps, func(a, b StepRecord) int { return cmp.Or(a.Stage-b.Stage, a.Place-b.Place) })
	if s.opts.DryRun || len(r.Steps) == 0 {
		return *r, nil
	}
	return *r, ch.save()
}

// save writes the record, then the list that names it. Neither is synced: what a power cut leaves of them is ignored.
func (ch *chronicle) save() error {
	if err := os.MkdirAll(ch.dir, 0o700); err != nil {
		return fmt.Errorf("keep record of build: %w", err)
	}
	data, err := json.MarshalIndent(ch.now, "", "  ")
	if err != nil {
		return fmt.Errorf("encode record of build: %w", err)
	}
	if err := home.WriteVolatile(filepath.Join(ch.dir, ch.now.ID+".json"), append(data, '\n'), 0o600); err != nil {
		return err
	}
	ids := append([]string{ch.now.ID}, ch.ids...)
	ids = ids[:min(len(ids), nearBuilds)]
	return errors.Join(home.WriteVolatile(ch.index, []byte(strings.Join(ids, "\n")+"\n"), 0o600), ch.forget())
}

// forget removes the oldest records when there are many more than are kept.
func (ch *chronicle) forget() error {
	entries, err := os.ReadDir(ch.dir)
	if err != nil || len(entries) <= keptBuilds+keptBuilds/10 {
		return err
	}
	type file struct {
		name string
		at   time.Time
	}
	var files []file
	for _, e := range entries {
		if fi, err := e.Info(); err == nil {
			files = append(files, file{e.Name(), fi.ModTime()})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return b.at.Compare(a.at) })
	for _, f := range files[min(len(files), keptBuilds):] {
		_ = os.Remove(filepath.Join(ch.dir, f.name)) // another build may have been faster
	}
	return nil
}
