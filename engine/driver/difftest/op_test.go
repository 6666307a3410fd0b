package difftest

import (
	"fmt"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// verb is what an operation does.
type verb string

const (
	doCreate   verb = "create"   // a regular file with Data
	doWrite    verb = "write"    // Data at Off of Path
	doAppend   verb = "append"   // Data
	doEmpty    verb = "empty"    // opened with truncation, Data written
	doTruncate verb = "truncate" // to Off bytes
	doTouch    verb = "touch"    // opened for writing, nothing written
	doMkdir    verb = "mkdir"
	doSymlink  verb = "symlink" // with text To
	doNode     verb = "mknod"   // of Kind and Rdev
	doLink     verb = "link"    // To becomes a further name of Path
	doUnlink   verb = "unlink"
	doRmdir    verb = "rmdir"
	doRename   verb = "rename" // Path to To
	doChmod    verb = "chmod"
	doChown    verb = "chown"
	doUtimes   verb = "utimes"
	doSetXattr verb = "setxattr" // Attr to Data
	doDelXattr verb = "delxattr"
	doHold     verb = "hold"      // opens Path and keeps it open in Slot
	doHeld     verb = "heldwrite" // Data at Off through Slot
	doCut      verb = "heldcut"   // truncates through Slot
	doRelease  verb = "release"
	doRemount  verb = "remount" // ends the live tree and opens it again, from what is on disk
	doLook     verb = "look"    // compares the whole trees
)

// op is one operation. Which fields count depends on the verb.
type op struct {
	Do       verb
	Path, To string
	Kind     fsys.Kind
	Mode     uint32
	UID, GID int
	Off      int64
	Data     string
	Attr     string
	Rdev     uint64
	Time     time.Time
	Slot     int
}

// String shows an operation in one line, with the fields that count.
func (o op) String() string {
	text := string(o.Do) + " " + o.Path
	switch o.Do {
	case doCreate, doMkdir:
		text += fmt.Sprintf(" mode %#o owner %d:%d", o.Mode, o.UID, o.GID)
	case doNode:
		text += fmt.Sprintf(" kind %c device %d:%d mode %#o", o.Kind, fsys.Major(o.Rdev), fsys.Minor(o.Rdev), o.Mode)
	case doChmod:
		text += fmt.Sprintf(" mode %#o", o.Mode)
	case doChown:
		text += fmt.Sprintf(" owner %d:%d", o.UID, o.GID)
	case doLink, doRename, doSymlink:
		text += " -> " + o.To
	case doUtimes:
		text += " to " + o.Time.UTC().Format(time.RFC3339Nano)
	case doSetXattr, doDelXattr:
		text += " " + o.Attr
	case doHold, doHeld, doCut, doRelease:
		text += fmt.Sprintf(" slot %d", o.Slot)
	}
	if o.Off != 0 || o.Do == doTruncate || o.Do == doCut {
		text += fmt.Sprintf(" at %d", o.Off)
	}
	if len(o.Data) > 40 {
		return text + fmt.Sprintf(" %q... (%d bytes)", o.Data[:20], len(o.Data))
	}
	if o.Data != "" {
		text += fmt.Sprintf(" %q", o.Data)
	}
	return text
}
