package dockerfile

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// MaxSize bounds a Dockerfile, in bytes: room for large here-documents, no room for a flood.
const MaxSize = 8 << 20

// The instructions, as the reference parser types them.
type (
	Command     = instructions.Command
	Add         = instructions.AddCommand
	Arg         = instructions.ArgCommand
	Cmd         = instructions.CmdCommand
	Copy        = instructions.CopyCommand
	Entrypoint  = instructions.EntrypointCommand
	Env         = instructions.EnvCommand
	Expose      = instructions.ExposeCommand
	Healthcheck = instructions.HealthCheckCommand
	Label       = instructions.LabelCommand
	Maintainer  = instructions.MaintainerCommand
	Onbuild     = instructions.OnbuildCommand
	Run         = instructions.RunCommand
	Shell       = instructions.ShellCommand
	StopSignal  = instructions.StopSignalCommand
	User        = instructions.UserCommand
	Volume      = instructions.VolumeCommand
	Workdir     = instructions.WorkdirCommand

	// SourcesAndDest is what Add and Copy have in common.
	SourcesAndDest = instructions.SourcesAndDest
	// SourceContent is a here-document that an Add or Copy has among its sources.
	SourceContent = instructions.SourceContent
	// InlineFile is a here-document of a RUN.
	InlineFile = instructions.ShellInlineFile
)

// Instruction is one instruction where it stands.
type Instruction struct {
	Name          string // in capitals: RUN
	Text          string // as written, continued lines joined
	Line, EndLine int    // first and last line, from 1
	Trigger       bool   // comes from an ONBUILD of the base image; Line is that of the FROM
	node          *parser.Node
}

// File is a parsed Dockerfile.
type File struct {
	Name   string
	Syntax Syntax
	Check  Check
	args   []Instruction // ARG before the first FROM
	stages []stage
	lines  []string
	escape rune
}

type stage struct {
	from         *instructions.Stage
	at           Instruction
	instructions []Instruction
}

// Parse reads a Dockerfile; name appears in errors. Every error is a *SyntaxError.
func Parse(name string, text []byte) (*File, error) {
	f := &File{Name: name, lines: splitLines(text)}
	if len(text) > MaxSize {
		return nil, f.at(1, 1, "", "the file is larger than 8 MiB: no Dockerfile is")
	}
	if err := f.checkText(); err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, f.at(1, 1, "", "the file is empty: it needs at least a FROM instruction")
	}
	if err := f.directives(text); err != nil {
		return nil, err
	}
	res, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, f.locate(err, 1, 1)
	}
	f.escape = res.EscapeToken
	for _, n := range res.AST.Children {
		if err := f.add(n); err != nil {
			return nil, err
		}
	}
	if len(f.stages) == 0 {
		return nil, f.at(1, 1, "", "no build stage: a Dockerfile needs a FROM instruction")
	}
	return f, nil
}

// maxLine is what the reference parser reads at most of one line, in bytes.
const maxLine = 64<<10 - 2

// checkText refuses what could not be told apart in a cache key, and what the reference parser would stumble over without saying
// where. Comments may hold anything but zero bytes.
func (f *File) checkText() error {
	for i, l := range f.lines {
		if strings.IndexByte(l, 0) >= 0 {
			return f.at(i+1, i+1, "", "the line holds a zero byte: it is not text")
		}
		if !utf8.ValidString(l) && !strings.HasPrefix(strings.TrimSpace(l), "#") {
			return f.at(i+1, i+1, "", "the line is not UTF-8 text")
		}
		if len(l) > maxLine {
			return f.tooLong(i + 1)
		}
	}
	return nil
}

func (f *File) tooLong(line int) error {
	e := f.at(line, line, "", "the line is longer than 64 KiB, more than a Dockerfile's line may be: break it with a backslash at the end, or COPY a file")
	e.Source = e.Source[:80] + "..."
	return e
}

func splitLines(text []byte) []string {
	lines := strings.Split(string(text), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
	}
	return lines
}

// typed is the instruction of a node. The linter is one that says nothing: without any, the reference parser falls over a comment with
// "check=" before an instruction.
func typed(n *parser.Node) (any, error) {
	return instructions.ParseInstructionWithLinter(n, linter.New(&linter.Config{}))
}

func instructionOf(n *parser.Node) Instruction {
	return Instruction{
		Name: strings.ToUpper(n.Value), Text: strings.TrimSpace(n.Original),
		Line: n.StartLine, EndLine: n.EndLine, node: n,
	}
}

// add checks one node and puts it into its stage.
func (f *File) add(n *parser.Node) error {
	in := instructionOf(n)
	parsed, err := typed(n)
	if err != nil {
		return f.locate(err, in.Line, in.EndLine)
	}
	if from, ok := parsed.(*instructions.Stage); ok {
		f.stages = append(f.stages, stage{from: from, at: in})
		return nil
	}
	if len(f.stages) == 0 {
		if in.Name != "ARG" {
			return f.Errorf(in, "", "no build stage in current context: %s stands before the first FROM, only ARG may", in.Name)
		}
		f.args = append(f.args, in)
		return nil
	}
	if err := f.supported(in, parsed); err != nil {
		return err
	}
	last := &f.stages[len(f.stages)-1]
	last.instructions = append(last.instructions, in)
	return nil
}
