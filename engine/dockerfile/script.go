package dockerfile

import (
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Script is what a RUN with here-documents executes.
type Script struct {
	// Text is the shell script, or the program whose first line names its interpreter.
	Text string
	// Path is where such a program has to lie, with mode 0755 and read-only, while the step runs: below /dev/pipes. The shell is
	// given Path, not Text. It is empty for a script.
	Path string
}

// Line is what the shell executes.
func (s Script) Line() string {
	if s.Path != "" {
		return s.Path
	}
	return s.Text
}

// pipes is the folder of programs that are here-documents, as BuildKit has it.
const pipes = "/dev/pipes"

// Script is the script of a RUN that has here-documents. A lone here-document is the script itself, or a program if it begins with #!;
// otherwise the documents stand below the line, where the shell reads them.
func (f *File) Script(in Instruction, c *Run) (Script, error) {
	if len(c.CmdLine) != 1 || !c.PrependShell || len(c.Files) == 0 {
		return Script{}, f.Errorf(in, "<<", "a here-document needs the shell form of RUN")
	}
	line, first := c.CmdLine[0], c.Files[0]
	if parser.MustParseHeredoc(line) == nil {
		var b strings.Builder
		b.WriteString(line)
		for _, file := range c.Files {
			b.WriteString("\n" + file.Data + file.Name)
		}
		return Script{Text: b.String()}, nil
	}
	text := first.Data
	if first.Chomp {
		text = parser.ChompHeredocContent(text)
	}
	if !strings.HasPrefix(text, "#!") {
		return Script{Text: text}, nil
	}
	if first.Name == "." || first.Name == ".." || strings.ContainsAny(first.Name, "/\x00") {
		return Script{}, f.Errorf(in, first.Name, "the here-document %s becomes a program of that name in %s, and no file can have it: choose another word, as in <<EOF", first.Name, pipes)
	}
	return Script{Text: text, Path: path.Join(pipes, first.Name)}, nil
}
