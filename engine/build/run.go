package build

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/image"
)

// hostname is what RUN sees, as with docker's builder: it must not differ between machines.
const hostname = "buildkitsandbox"

// run carries out a RUN, or takes its layer from the cache.
func (st *stage) run(ctx context.Context, in dockerfile.Instruction, c *dockerfile.Run) (outcome, error) {
	argv, err := st.runCommand(in, c)
	if err != nil {
		return outcome{}, err
	}
	key := st.key(in.Text, nil)
	for _, a := range st.scope.Args() {
		key.Args = append(key.Args, a.Name+"="+a.Value)
	}
	key.Instruction, key.Command = st.runText(argv), argv
	key.Env, key.User, key.Workdir = st.config.Config.Env, st.config.Config.User, st.workdirOr("/")
	step := treeStep{in: in, key: key, text: in.Text, history: key.Instruction + " # buildkit"}
	return st.cached(ctx, step, func(ctx context.Context, id int) (image.Layer, error) {
		l, err := st.execute(ctx, id, argv)
		if wrong := (*RunError)(nil); errors.As(err, &wrong) {
			err = st.session.plan.File.Failed(in, "", err)
		}
		return l, err
	})
}

// runText is the command as the history has it: the ARGs that it sees, counted, come first.
func (st *stage) runText(argv []string) string {
	words := []string{"RUN"}
	if args := st.scope.Args(); len(args) > 0 {
		words = append(words, "|"+strconv.Itoa(len(args)))
		for _, a := range args {
			words = append(words, a.Name+"="+a.Value)
		}
	}
	return strings.Join(append(words, argv...), " ")
}

// runCommand is what is executed: in shell form by the shell, with here-documents put back into the script.
func (st *stage) runCommand(in dockerfile.Instruction, c *dockerfile.Run) ([]string, error) {
	if len(c.Files) == 0 {
		if len(c.CmdLine) == 0 {
			return nil, st.session.plan.File.Errorf(in, "", "RUN needs a command")
		}
		return st.conf.CommandLine(c.CmdLine, c.PrependShell), nil
	}
	if len(c.CmdLine) != 1 || !c.PrependShell {
		return nil, st.session.plan.File.Errorf(in, "<<", "a here-document needs the shell form of RUN")
	}
	script, err := dockerfile.Script(c.CmdLine[0], c.Files)
	if err != nil {
		return nil, st.session.plan.File.Errorf(in, "<<", "%v", err)
	}
	return st.conf.CommandLine([]string{script}, true), nil
}

func (st *stage) workdirOr(otherwise string) string {
	if w := st.config.Config.WorkingDir; w != "" {
		return w
	}
	return otherwise
}
