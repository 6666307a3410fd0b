// Package submission is the archive that a student hands in: how it is packed, and how a stranger's is taken apart.
//
// It is a tar archive, compressed with gzip: manifest.json first, then for each exercise ID/journal.jsonl, then each content once as objects/SHA-256. It
// runs nothing. The manifest is what the student's side says; nothing in it is to be believed.
//
// Invariants: the same work gives the same bytes. What is read is hostile: names other than these, links, devices, doubles, contents that don't fit
// their hash and whatever is beyond the bounds end the reading with an error, and nothing is written but below the given folder.
package submission

import (
	"fmt"
	"time"

	"github.com/learn-containers/learn/exercises/class"
	"github.com/learn-containers/learn/exercises/journal"
)

// What an archive may hold.
const (
	MaxArchive  = 128 << 20 // bytes, compressed
	MaxUnpacked = 256 << 20
	MaxManifest = 4 << 20
	MaxFiles    = 20_000
)

// Manifest is what the student's own program says.
type Manifest struct {
	Format     int       `json:"format"`
	Program    string    `json:"program"` // version of learn
	Class      string    `json:"class,omitempty"`
	Assignment string    `json:"assignment,omitempty"`
	Student    string    `json:"student"`
	At         time.Time `json:"at"` // of the last line of the journals
	Exercises  []Part    `json:"exercises"`
}

// Part is one exercise.
type Part struct {
	ID      string           `json:"id"`
	Seed    uint64           `json:"seed"`
	Journal string           `json:"journal"` // hash of its last line
	Trace   Trace            `json:"trace"`
	Folder  string           `json:"folder"` // journal.State.Digest of the final folder
	Files   []journal.Change `json:"files"`  // the final folder
	Solved  bool             `json:"solved"`
	Checks  []Checked        `json:"checks"`
}

// Trace is the end of the exercise's trace.
type Trace struct {
	Events int    `json:"events"`
	Hash   string `json:"hash"`
}

// Checked is what one check came to.
type Checked struct {
	ID     string `json:"id"`
	Holds  bool   `json:"holds"`
	Belief string `json:"belief,omitempty"`
}

func (m Manifest) valid() error {
	if m.Format != 1 || !class.ValidID(m.Student) || m.Assignment != "" && !class.ValidID(m.Assignment) || len(m.Class) > 800 {
		return fmt.Errorf("manifest of format %d, student %.80q, assignment %.80q; expected format 1 and valid names", m.Format, m.Student, m.Assignment)
	}
	if len(m.Exercises) == 0 || len(m.Exercises) > 200 {
		return fmt.Errorf("manifest with %d exercises; expected 1 to 200", len(m.Exercises))
	}
	seen := map[string]bool{"objects": true}
	for _, p := range m.Exercises {
		if !class.ValidID(p.ID) || seen[p.ID] {
			return fmt.Errorf("manifest with exercise %.80q; expected each once", p.ID)
		}
		seen[p.ID] = true
	}
	return nil
}
