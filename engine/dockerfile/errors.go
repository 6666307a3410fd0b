package dockerfile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// SyntaxError is a mistake in a Dockerfile, with its place.
type SyntaxError struct {
	File      string // as the user named it
	Line, Col int    // from 1; Col counts bytes
	Msg       string
	Source    string   // the offending line, without its line end
	More      []string // the lines after it, where a whole instruction is meant
}

const maxSourceLines = 20 // of an instruction that are shown

// Error gives file:line:col, the message, and the source line below it.
func (e *SyntaxError) Error() string {
	msg := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
	if strings.TrimSpace(e.Source) == "" {
		return msg
	}
	msg += fmt.Sprintf("\n%4d | %s", e.Line, e.Source)
	for i, l := range e.More {
		msg += fmt.Sprintf("\n%4d | %s", e.Line+1+i, l)
	}
	return msg
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
	e := &StepError{SyntaxError: *f.at(in.Line, in.EndLine, word, cause.Error()), cause: cause}
	if last := min(in.EndLine, len(f.lines), e.Line+maxSourceLines); word == "" && last > e.Line {
		e.More = slices.Clone(f.lines[e.Line:last])
	}
	return e
}

// at makes a SyntaxError that points at word in the lines from first to last, or at the first word of them.
func (f *File) at(first, last int, word, msg string) *SyntaxError {
	e := &SyntaxError{File: f.Name, Msg: msg, Line: 1, Col: 1}
	if len(f.lines) == 0 {
		return e // a config's changes, whose errors have no place
	}
	e.Line = min(max(first, 1), len(f.lines))
	e.Source = f.lines[e.Line-1]
	e.Col = 1 + len(e.Source) - len(strings.TrimLeft(e.Source, " \t"))
	if e.Col > len(e.Source) {
		e.Col = 1 // nothing but blanks
	}
	if word != "" {
		e.pointAt(f, word, last)
	}
	return e
}

// pointAt moves the place to word if it stands in the lines from e.Line to last: to a whole word rather than to a part of another.
func (e *SyntaxError) pointAt(f *File, word string, last int) bool {
	found := false
	for n := e.Line; n <= min(last, len(f.lines)); n++ {
		for i, from := -1, 0; ; from = i + 1 {
			next := strings.Index(f.lines[n-1][from:], word)
			if next < 0 {
				break
			}
			i = from + next
			whole := isWhole(f.lines[n-1], i, i+len(word))
			if !found || whole {
				e.Line, e.Col, e.Source, found = n, i+1, f.lines[n-1], true
			}
			if whole {
				return true
			}
		}
	}
	return found
}

// isWhole tells whether the letters around line[from:to] belong to no word that it is in.
func isWhole(line string, from, to int) bool {
	inWord := func(i int) bool {
		return i >= 0 && i < len(line) && (isAlnum(line[i]) || line[i] == '_')
	}
	return !(inWord(from-1) && inWord(from)) && !(inWord(to-1) && inWord(to))
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
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
	if flag != "" {
		return f.at(first, last, flag, msg)
	}
	return f.guess(first, last, msg)
}

// guess makes a SyntaxError that points at what the message of the reference parser names.
func (f *File) guess(first, last int, msg string, otherwise ...string) *SyntaxError {
	e := f.at(first, last, "", msg)
	words := quotedIn(msg)
	if m := invalidFor.FindStringSubmatch(msg); m != nil {
		words = append(words, m[1]+m[4]+"="+m[2]+m[3])
	}
	for _, word := range append(words, otherwise...) {
		if e.pointAt(f, word, last) {
			break
		}
	}
	return e
}

var invalidFor = regexp.MustCompile(`invalid value (?:for (\S+): (\S+)|(\S+) for (\S+))`)

// quotedIn lists what a message of the reference parser quotes, the longest first: it stands in the file, more often than not.
func quotedIn(msg string) []string {
	var out []string
	for _, m := range quoted.FindAllStringSubmatch(msg, -1) {
		word := m[1] + m[2] + m[3]
		if s, err := strconv.Unquote(`"` + m[1] + `"`); err == nil && m[1] != "" {
			word = s
		}
		if word != "" {
			out = append(out, word)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out
}

var quoted = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"|'([^']*)'|\(([^()]*)\)`)

// flagIn finds the flag that a message of the reference parser is about.
func flagIn(msg string) string {
	_, rest, ok := strings.Cut(msg, "flag: ")
	if !ok {
		_, rest, ok = strings.Cut(msg, "for flag ")
	}
	if !ok {
		_, rest, ok = strings.Cut(msg, "duplicate flag specified: ")
	}
	if !ok {
		return ""
	}
	word, _, _ := strings.Cut(rest, " ")
	return strings.TrimSuffix(word, ",")
}

// wordError words an error of the reference's lexer: at the end of a word it names a character that is none.
func wordError(err error) error {
	if err == nil || !strings.Contains(err.Error(), endOfWord) {
		return err
	}
	return errors.New(strings.Replace(err.Error(), endOfWord, "syntax error: missing '}'", 1))
}

const endOfWord = "unsupported modifier (\ufffd) in substitution"
