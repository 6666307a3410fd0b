package build

import (
	"context"
	"errors"

	"github.com/learn-containers/learn/engine/build/fetch"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
)

// hostname is what RUN sees, as with docker's builder: it must not differ between machines.
const hostname = "buildkitsandbox"

// run carries out a RUN, or takes its layer from the cache.
func (st *stage) run(ctx context.Context, in dockerfile.Instruction, c *dockerfile.Run) (outcome, error) {
	argv, program, err := st.runCommand(in, c)
	if err != nil {
		return outcome{}, err
	}
	mounts, err := st.scope.Mounts(in, c)
	if err == nil {
		err = st.refuseInsecure(in, c)
	}
	if err != nil {
		return outcome{}, err
	}
	key := st.key("")
	for _, a := range st.scope.Args() {
		key.Args = append(key.Args, a.Name+"="+discreet(a.Value))
	}
	key.Instruction = fetch.HideUsers(st.scope.RunText(argv))
	for _, word := range argv {
		key.Command = append(key.Command, discreet(word))
	}
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
	if program.Path != "" {
		key.Mounts = append(key.Mounts, "type=program,target="+program.Path+",digest="+sumOf(program.Text).String())
	}
	from, unknown := st.mountSource(mounts)
	step := treeStep{in: in, key: key, inputs: inputs, from: from, unknown: unknown, text: in.Text, history: key.Instruction + " # buildkit"}
	return st.cached(ctx, step, func(ctx context.Context, id int) (image.Layer, error) {
		l, err := st.execute(ctx, command{in: in, id: id, argv: argv, network: key.Network, program: program, mounts: mounts, bound: bound})
		if wrong := (*RunError)(nil); errors.As(err, &wrong) {
			wrong.Step = in.Text
			err = st.session.plan.File.Failed(in, "", err)
		}
		return l, err
	})
}

// discreet is a text for a key, which is kept and shown: users and passwords in addresses are left out of it, and only a digest tells whether
// they changed.
func discreet(text string) string {
	hidden := fetch.HideUsers(text)
	if hidden == text {
		return text
	}
	return hidden + " (" + oci.ShortID(sumOf(text)) + ")"
}

// refuseInsecure refuses what no step may have: more rights than a container.
func (st *stage) refuseInsecure(in dockerfile.Instruction, c *dockerfile.Run) error {
	if dockerfile.Security(c) != "insecure" {
		return nil
	}
	return st.session.plan.File.Errorf(in, "--security", "RUN --security=insecure needs the entitlement security.insecure, which this builder grants nobody: "+
		"a build step never gets more rights than a container has")
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

// runCommand is what is executed: in shell form by the shell, with here-documents put back into the script, or lying where the shell finds
// them as programs.
func (st *stage) runCommand(in dockerfile.Instruction, c *dockerfile.Run) (argv []string, program dockerfile.Script, err error) {
	if len(c.Files) > 0 {
		if program, err = st.session.plan.File.Script(in, c); err != nil {
			return nil, program, err
		}
		return st.conf.CommandLine([]string{program.Line()}, true), program, nil
	}
	if len(c.CmdLine) == 0 {
		return nil, program, st.session.plan.File.Errorf(in, "", "RUN needs a command")
	}
	return st.conf.CommandLine(c.CmdLine, c.PrependShell), program, nil
}

func (st *stage) workdirOr(otherwise string) string {
	if w := st.config.Config.WorkingDir; w != "" {
		return w
	}
	return otherwise
}
