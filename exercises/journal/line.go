package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Kind says what a line tells.
type Kind string

// The kinds of lines.
const (
	Begin   Kind = "begin"   // the exercise was begun; its seed
	Command Kind = "command" // a command is about to run
	Check   Kind = "check"   // the learner asked whether it is solved
	Submit  Kind = "submit"  // the work was handed in
	End     Kind = "end"     // how line Of ended
)

// Line is one line of a journal, without its hash.
type Line struct {
	N        int       `json:"n"` // from 1
	Kind     Kind      `json:"kind"`
	At       time.Time `json:"at"`
	Exercise string    `json:"exercise,omitempty"`
	Seed     uint64    `json:"seed,omitempty"`
	Folder   string    `json:"folder,omitempty"`   // where the folder lies on the learner's machine: command lines may name it
	Dir      string    `json:"dir,omitempty"`      // where the command was given, relative to the folder
	Argv     []string  `json:"argv,omitempty"`     // without learn docker
	Terminal bool      `json:"terminal,omitempty"` // standard input was one
	Changes  []Change  `json:"changes,omitempty"`  // since the line before that has any
	Omitted  int       `json:"omitted,omitempty"`  // entries of the folder that are too many, too large or neither file, folder nor link

	Of        int    `json:"of,omitempty"`
	Code      int    `json:"code,omitempty"`
	Input     string `json:"input,omitempty"` // SHA-256 of what was read from standard input; empty for nothing
	Truncated bool   `json:"truncated,omitempty"`

	Made []string `json:"made,omitempty"` // by the setup or by the command, as the function Made lists it
}

// Change is one entry of the folder that came, went or became another.
type Change struct {
	Path   string `json:"path"`
	Type   Type   `json:"type"`
	Exec   bool   `json:"exec,omitempty"` // a file that may be executed
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Target string `json:"target,omitempty"` // of a link
}

// Type is what an entry is.
type Type string

// The types of entries.
const (
	File Type = "file"
	Dir  Type = "dir"
	Link Type = "link"
	Gone Type = "gone"
)

// valid refuses what no journal of ours holds.
func (l Line) valid() error {
	switch {
	case !slices.Contains([]Kind{Begin, Command, Check, Submit, End}, l.Kind):
		return fmt.Errorf("kind %q; expected begin, command, check, submit or end", l.Kind)
	case len(l.Argv) > maxWords:
		return fmt.Errorf("%d words; expected at most %d", len(l.Argv), maxWords)
	case len(l.Changes) > 2*MaxEntries:
		return fmt.Errorf("%d changes; expected at most %d", len(l.Changes), 2*MaxEntries)
	case l.Dir != "" && !ValidPath(l.Dir):
		return fmt.Errorf("dir %q; expected a path inside the folder", l.Dir)
	case l.Input != "" && !ValidHash(l.Input):
		return fmt.Errorf("input %q; expected a SHA-256", l.Input)
	}
	for _, c := range l.Changes {
		if err := c.valid(); err != nil {
			return err
		}
	}
	return validMade(l.Made)
}

func (c Change) valid() error {
	if c.Path == "." || !ValidPath(c.Path) {
		return fmt.Errorf("path %q; expected one inside the folder", c.Path)
	}
	switch c.Type {
	case Dir, Gone:
		return nil
	case File:
		if !ValidHash(c.SHA256) || c.Size < 0 || c.Size > MaxFile {
			return fmt.Errorf("file %q of %d bytes with hash %q; expected a SHA-256 and at most %d bytes", c.Path, c.Size, c.SHA256, MaxFile)
		}
		return nil
	case Link:
		if c.Target == "" || len(c.Target) > maxPath || strings.ContainsRune(c.Target, 0) {
			return fmt.Errorf("link %q with a target of %d bytes; expected 1 to %d", c.Path, len(c.Target), maxPath)
		}
		return nil
	}
	return fmt.Errorf("type %q of %q; expected file, dir, link or gone", c.Type, c.Path)
}

// ValidPath tells whether name, with slashes, stays inside a folder on every system.
func ValidPath(name string) bool {
	return len(name) <= maxPath && fs.ValidPath(name) && !strings.ContainsAny(name, "\x00\\:") && filepath.IsLocal(filepath.FromSlash(name))
}

// ValidHash tells whether s is a SHA-256 in hex.
func ValidHash(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 32 && s == strings.ToLower(s)
}

// ErrFull says that a journal takes no more lines.
var ErrFull = errors.New("the journal is full")
