package build

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/build/fetch"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// BuildRecord is what is kept of one build, in cache/builds/ID.json: what each step came to, and why. It explains and decides nothing:
// if it is lost, reasons are less exact. It holds all that is needed to explain the build when its results are gone.
type BuildRecord struct {
	ID         string          `json:"id"`
	Dockerfile string          `json:"dockerfile"` // absolute path, or what it was called
	Context    string          `json:"context"`
	Target     string          `json:"target,omitempty"`
	Began      time.Time       `json:"began"`
	Seconds    float64         `json:"seconds"`
	Image      digest.Digest   `json:"image,omitempty"` // its id
	Tags       []string        `json:"tags,omitempty"`
	Error      string          `json:"error,omitempty"` // first line
	DryRun     bool            `json:"dry_run,omitempty"`
	Hits       int             `json:"hits"`
	Misses     int             `json:"misses"`
	Saved      Saving          `json:"saved"`
	Bases      []BaseRecord    `json:"bases"`              // by stage
	Steps      []StepRecord    `json:"steps"`              // those that make a tree, in the order of the file
	Settings   []SettingRecord `json:"settings,omitempty"` // those that do not, in the order of the file
}

// BaseRecord is what a stage began with.
type BaseRecord struct {
	Stage     int           `json:"stage"`
	StageName string        `json:"stage_name,omitempty"`
	Line      int           `json:"line"`
	Name      string        `json:"name"`               // of the image or the stage, variables expanded; scratch for none
	OfStage   int           `json:"of_stage"`           // number of the stage that it is, or -1
	Image     digest.Digest `json:"image,omitempty"`    // id of the image that it is
	Chain     digest.Digest `json:"chain_id,omitempty"` // its tree
}

// SettingRecord is an instruction that makes no tree.
type SettingRecord struct {
	Stage int    `json:"stage"`
	Place int    `json:"place"` // how many steps of the stage make a tree before it
	Line  int    `json:"line"`
	Text  string `json:"text"`
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
	Parts       Key           `json:"parts"` // of Key
	Parent      digest.Digest `json:"parent,omitempty"`
	Chain       digest.Digest `json:"chain_id,omitempty"` // the tree with its result; empty if that is not known
	Vars        []string      `json:"vars,omitempty"`     // NAME=value of the variables that Text names
	Names       []string      `json:"names,omitempty"`    // COPY, ADD: files and folders at the top of what is copied, at most maxNames
	Hit         bool          `json:"hit"`
	Since       time.Time     `json:"since,omitzero"`   // of a hit: when its result was made
	From        string        `json:"from,omitempty"`   // of a hit: id of the build that made it
	Reason      *Reason       `json:"reason,omitempty"` // of a miss
	Nearest     *Nearest      `json:"nearest,omitempty"`
	Seconds     float64       `json:"seconds"` // what it took: now, or when its result was made
	Bytes       int64         `json:"bytes"`   // of its layer
	Failed      bool          `json:"failed,omitempty"`
}

// Nearest is the step of an earlier build that a miss was compared with.
type Nearest struct {
	Build   string        `json:"build"`
	Line    int           `json:"line"`
	Text    string        `json:"text"`
	Key     digest.Digest `json:"key"`
	Parts   Key           `json:"parts"`
	Seconds float64       `json:"seconds"`
	Bytes   int64         `json:"bytes"`
}

const (
	keptBuilds   = 200      // records of builds that are kept in all
	nearBuilds   = 10       // earlier builds of a Dockerfile that a step is compared with
	maxNames     = 200      // names of files that a record lists of a COPY
	lastPrefix   = "last-"  // of the files that list the builds of a Dockerfile
	maxBuildFile = 16 << 20 // bytes
)

// chronicle is the record of a build under way, and those of earlier builds of the same Dockerfile.
type chronicle struct {
	dir   string // of the records
	index string // file with the ids of the earlier builds, newest first

	mu      sync.Mutex
	now     BuildRecord
	ids     []string
	earlier []BuildRecord // of the same Dockerfile, newest first
	loaded  bool
	others  []BuildRecord // of other ones
	looked  bool
}

func (c *cache) builds() string { return filepath.Join(c.dir, "builds") }

// begin opens the chronicle of the build that is named by its Dockerfile, context and target.
func (c *cache) begin(b *Builder, dockerfile string, o Options) (*chronicle, error) {
	var random [6]byte
	if _, err := io.ReadFull(b.Random, random[:]); err != nil {
		return nil, fmt.Errorf("name build: %w", err)
	}
	r := BuildRecord{ID: hex.EncodeToString(random[:]), Dockerfile: absolute(dockerfile), Context: o.source(), Target: o.Target, DryRun: o.DryRun, Began: driver.Now(b.runtime).UTC()}
	if o.From == nil {
		r.Context = absolute(o.ContextDir)
	} else {
		r.Dockerfile = filepath.Base(dockerfile)
	}
	name := oci.Sum([]byte(strings.Join([]string{r.Dockerfile, r.Context, r.Target}, "\x00"))).Encoded()[:16]
	ch := &chronicle{dir: c.builds(), index: filepath.Join(c.dir, lastPrefix+name), now: r}
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

// base notes what a stage begins with.
func (ch *chronicle) base(b BaseRecord) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.now.Bases = append(ch.now.Bases, b)
}

// setting notes an instruction that makes no tree.
func (ch *chronicle) setting(s SettingRecord) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.now.Settings = append(ch.now.Settings, s)
}

// note begins the record of a step.
func (st *stage) note(step treeStep, key digest.Digest) StepRecord {
	place := st.places
	st.places++
	return StepRecord{Stage: st.planned.Index, StageName: st.planned.Name, Place: place, Line: step.in.Line, Text: step.in.Text,
		Instruction: step.key.Instruction, Key: key, Parts: step.key, Parent: step.key.Parent, Vars: st.variables(step.in), Names: topNames(step.inputs)}
}

// variables lists what the variables hold that the text of an instruction names.
func (st *stage) variables(in dockerfile.Instruction) []string {
	var list []string
	held := st.scope.Names()
	for _, name := range variableNames(in.Text) {
		if _, ok := slices.BinarySearch(held, name); ok {
			list = append(list, name+"="+fetch.HideUsers(st.scope.Value(name)))
		}
	}
	return list
}

// topNames lists what lies at the top of what a COPY takes: the files that it names, and the contents of the folders that it names.
func topNames(inputs []Input) []string {
	dirs := map[string]bool{}
	for _, in := range inputs {
		if in.Type == "dir" {
			dirs[in.Source] = true
		}
	}
	var names []string
	for _, in := range inputs {
		above := path.Dir(in.Source)
		below := in.Source != "." && dirs[above]
		deep := below && above != "." && dirs[path.Dir(above)]
		switch {
		case in.Source == "", deep, len(names) == maxNames:
		case in.Type != "dir":
			names = append(names, in.Source)
		case below:
			names = append(names, in.Source+"/")
		}
	}
	return names
}

// took completes it.
func (s *StepRecord) took(rec Record, hit bool, err error) {
	s.Seconds, s.Bytes, s.Failed = rec.Seconds, rec.Bytes, err != nil
	if s.Hit = hit; hit {
		s.Since, s.From = rec.Created, rec.Build
	}
}

// end completes the record and keeps it, unless the build was a dry run.
func (ch *chronicle) end(s *session, res *Result, failed error) (BuildRecord, error) {
	r := &ch.now
	r.Seconds, r.Image, r.Hits, r.Misses, r.Saved = seconds(driver.Now(s.runtime).Sub(r.Began)), res.Image.ID, s.hits, s.misses, s.saved
	for _, t := range s.opts.Tags {
		r.Tags = append(r.Tags, t.String())
	}
	if failed != nil {
		r.Error = firstLine(failed.Error())
	}
	slices.SortStableFunc(r.Steps, func(a, b StepRecord) int { return cmp.Or(a.Stage-b.Stage, a.Place-b.Place) })
	slices.SortStableFunc(r.Settings, func(a, b SettingRecord) int { return cmp.Or(a.Stage-b.Stage, a.Place-b.Place) })
	slices.SortStableFunc(r.Bases, func(a, b BaseRecord) int { return a.Stage - b.Stage })
	if r.DryRun || len(r.Steps) == 0 {
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
	files := recordFiles(ch.dir)
	for _, f := range files[min(len(files), keptBuilds):] {
		_ = os.Remove(filepath.Join(ch.dir, f.id+".json")) // another build may have been faster
	}
	return nil
}
