package dockerfile

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// supported refuses what no plan and no scope could make good, before anything is built.
func (f *File) supported(in Instruction, parsed any) error {
	switch c := parsed.(type) {
	case *Run:
		return f.supportedRun(in, c)
	case *Copy:
		return f.plainSource(in, c.From)
	}
	return nil
}

// plainSource is BuildKit's rule: what --from names does not depend on variables.
func (f *File) plainSource(in Instruction, from string) error {
	if from == "" {
		return nil
	}
	word, _, err := shell.NewLex(f.escape).ProcessWord(from, environ{})
	if err != nil {
		return f.locate(wordError(err), in.Line, in.EndLine)
	}
	if word != from {
		return f.Errorf(in, "--from", "variables are not expanded in COPY --from: give a stage a name with FROM %s AS name, and copy from that name", from)
	}
	return nil
}

func (f *File) supportedRun(in Instruction, c *Run) error {
	if len(instructions.GetDevices(c)) > 0 {
		return f.Errorf(in, "--device", "RUN --device is not supported by this builder: build steps get no devices, run what needs one in a container of the finished image")
	}
	for _, m := range instructions.GetMounts(c) {
		if m.From != "" && strings.Trim(m.From, "0123456789") == "" {
			return f.Errorf(in, "from="+m.From, "RUN --mount takes a stage by its name, not by its number: give stage %s a name with FROM ... AS name", m.From)
		}
	}
	return f.staticMounts(in)
}

// staticMounts checks mounts that hold no variable now rather than when the step is reached.
func (f *File) staticMounts(in Instruction) error {
	for _, flag := range in.node.Flags {
		if strings.ContainsRune(flag, '$') {
			return nil
		}
	}
	s := (&Plan{File: f}).Scope(Stage{Index: len(f.stages)}, nil, nil)
	s.dir = "/workdir" // some folder: which one is not known yet
	cmd, err := s.Expand(in)
	if err != nil {
		return err
	}
	_, err = s.mounts(in, cmd.(*Run))
	return err
}
