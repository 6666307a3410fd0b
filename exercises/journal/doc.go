// Package journal keeps what a learner did in an exercise: one JSON line for each command and check, with what had changed in the exercise's folder since
// the line before, and beside them each file's content once, under its SHA-256.
//
// It runs nothing and judges nothing. Neither is it proof: who owns the journal can seal it anew, so a grader believes only what it carries out again.
//
// Invariants: a line's hash is the SHA-256, in hex, of the hash of the line before it (nothing for line 1) followed by this line without ,"hash":"...",
// so a line that is changed, removed, added or moved breaks the chain. A command's line is written before the command runs and an end line after it; a
// killed one has no end. Paths are relative to the folder, with slashes. Links are noted as they are and never followed. Everything that is read may
// have been written by an enemy: sizes, counts and names are bounded by the constants here.
package journal

// What a journal may hold. A writer leaves out what is beyond, and says so; a reader refuses it.
const (
	MaxLines   = 10_000
	MaxLine    = 1 << 20  // bytes of one line
	MaxJournal = 32 << 20 // bytes of all lines
	MaxEntries = 2_000    // files, folders and links of one folder
	MaxFile    = 16 << 20 // bytes of one file
	MaxFolder  = 64 << 20 // bytes of all files of one folder
	MaxInput   = 1 << 20  // bytes of one command's standard input
	maxPath    = 1_024    // bytes
	maxWords   = 2_000    // of one command line
)
