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
	mounts, err := st.scope.Mounts(in, c)
	if err != nil {
		return outcome{}, err
	}
	key := st.key("")
	for _, a := range st.scope.Args() {
		key.Args = append(key.Args, a.Name+"="+a.Value)
	}
	key.Instruction, key.Command = st.runText(argv), argv
	key.Env, key.User, key.Workdir = st.config.Config.Env, st.config.Config.User, st.workdirOr("/")
	if key.Network, err = st.network(in, c); err != nil {
		return outcome{}, err
	}
	key.Hosts = st.session.opts.Hosts
	bound, inputs, err := st.bindInputs(ctx, in, mounts)
	if err != nil {
		return outcome{}, err
	}
	if len(inputs) > 0 {
		key.Inputs = inputsDigest(inputs)
	}
	key.Mounts = mountTexts(mounts)
	step := treeStep{in: in, key: key, inputs: inputs, text: in.Text, history: key.Instruction + " # buildkit"}
	return st.cached(ctx, step, func(ctx context.Context, id int) (image.Layer, error) {
		l, err := st.execute(ctx, command{in: in, id: id, argv: argv, network: key.Network, mounts: mounts, bound: bound})
		if wrong := (*RunError)(nil); errors.As(err, &wrong) {
			wrong.Step = in.Text
			err = st.session.plan.File.Failed(in, "", err)
		}
		return l, err
	})
}

// network is what the command may reach: "" is the network that every step has, which is none but the loopback interface.
func (st *stage) network(in dockerfile.Instruction, c *dockerfile.Run) (string, error) {
	name := dockerfile.Network(c)
	if name == "" || name == "default" {
		name = st.session.opts.Network
	}
	switch name {
	case "", "default":
		return "", nil
	case "none":
		return "none", nil
	case "host":
		if !st.session.opts.AllowNet && st.session.opts.Network != "host" {
			return "", st.session.plan.File.Errorf(in, "--network", "RUN --network=host needs the entitlement network.host: build with --allow network.host, or with --network host")
		}
		return "host", nil
	}
	return "", st.session.plan.File.Errorf(in, "--network", "unknown network %q: expected default, none or host", name)
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
