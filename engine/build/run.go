package build

import (
	"context"
	"errors"

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
	key.Instruction, key.Command = st.scope.RunText(argv), argv
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

// runCommand is what is executed: in shell form by the shell, with here-documents put back into the script.
func (st *stage) runCommand(in dockerfile.Instruction, c *dockerfile.Run) ([]string, error) {
	if len(c.Files) == 0 {
		if len(c.CmdLine) == 0 {
			return nil, st.session.plan.File.Errorf(in, "", "RUN needs a command")
		}
		return st.conf.CommandLine(c.CmdLine, c.PrependShell), nil
	}
	script, err := st.session.plan.File.Script(in, c)
	if err != nil {
		return nil, err
	}
	return st.conf.CommandLine([]string{script.Line()}, true), nil
}

func (st *stage) workdirOr(otherwise string) string {
	if w := st.config.Config.WorkingDir; w != "" {
		return w
	}
	return otherwise
}
