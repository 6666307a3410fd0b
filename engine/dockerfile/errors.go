package dockerfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// SyntaxError is a mistake in a Dockerfile, with its place. Line is 0 when the mistake has no place (an empty file).
type SyntaxError struct {
	File      string // as the user named it
	Line, Col int    // from 1; Col counts bytes
	Msg       string
	Source    string // the offending line, without its line end
}

// Error gives file:line:col, the message, and the source line below it.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	msg := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
	if strings.TrimSpace(e.Source) == "" {
		return msg
	}
	return fmt.Sprintf("%s\n%4d | %s", msg, e.Line, e.Source)
}

// StepError is an error that carrying out an instruction came to, with the place of the instruction. It wraps its cause.
type StepError struct {
	SyntaxError // where, and the words
	cause       error
}

// Unwrap gives the cause.
func (e *StepError) Unwrap() error { return e.cause }

// Failed makes a *StepError at in that points at word, or at the instruction's first word if word is empty or absent.
func (f *File) Failed(in Instruction, word string, cause error) error {
	return &StepError{SyntaxError: *f.at(in.Line, in.EndLine, word, cause.Error()), cause: cause}
}

// at makes a SyntaxError that points at word in the lines from first to last, or at the first word of them.
func (f *File) at(first, last int, word, msg string) *SyntaxError {
	e := &SyntaxError{File: f.Name, Msg: msg}
	if first < 1 || first > len(f.lines) {
		return e
	}
	e.Line, e.Source = first, f.lines[first-1]
	e.Col = 1 + len(e.Source) - len(strings.TrimLeft(e.Source, " \t"))
	if word == "" {
		return e
	}
	for n := first; n <= min(last, len(f.lines)); n++ {
		if i := strings.Index(f.lines[n-1], word); i >= 0 {
			e.Line, e.Col, e.Source = n, i+1, f.lines[n-1]
			return e
		}
	}
	return e
}

// Errorf makes a *SyntaxError at in that points at word, or at the instruction's first word if word is empty or absent.
func (f *File) Errorf(in Instruction, word, format string, args ...any) *SyntaxError {
	return f.at(in.Line, in.EndLine, word, fmt.Sprintf(format, args...))
}

// locate turns an error of the reference parser into a SyntaxError.
func (f *File) locate(err error, first, last int) *SyntaxError {
	var loc *parser.LocationError
	if errors.As(err, &loc) && len(loc.Locations) > 0 && len(loc.Locations[0]) > 0 {
		ranges := loc.Locations[0]
		if l := ranges[0].Start.Line; l > 0 {
			first, last = l, ranges[len(ranges)-1].End.Line
		}
	}
	// The parser's own guess is dropped: among names that are equally near it takes any.
	msg, _, _ := strings.Cut(err.Error(), " (did you mean")
	var unknown *instructions.UnknownInstructionError
	if errors.As(err, &unknown) {
		return f.at(first, last, unknown.Instruction, msg+suggest(strings.ToUpper(unknown.Instruction), "", instructionNames))
	}
	flag := flagIn(msg)
	if strings.HasPrefix(msg, "unknown flag") && first >= 1 && first <= len(f.lines) {
		name, _, _ := strings.Cut(strings.TrimSpace(f.lines[first-1]), " ")
		msg += suggest(strings.TrimPrefix(flag, "--"), "--", flagNames(name))
	}
	return f.at(first, last, flag, msg)
}

// flagIn finds the flag that a message of the reference parser is about.
func flagIn(msg string) string {
	_, rest, ok := strings.Cut(msg, "flag: ")
	if !ok {
		_, rest, ok = strings.Cut(msg, "for flag ")
	}
	if !ok {
		return ""
	}
	word, _, _ := strings.Cut(rest, " ")
	return strings.TrimSuffix(word, ",")
}
