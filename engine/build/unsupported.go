package build

import (
	"strings"

	"github.com/learn-containers/learn/engine/dockerfile"
)

// unsupported refuses what the plan understands and the builder can't carry out yet, rather than leave it out silently.
func (st *stage) unsupported(in dockerfile.Instruction, cmd dockerfile.Command) error {
	switch c := cmd.(type) {
	case *dockerfile.Run:
		return st.unsupportedRun(in, c)
	case *dockerfile.Copy:
		if c.Parents {
			return st.refuse(in, "--parents", "name each folder in a COPY of its own")
		}
	case *dockerfile.Add:
		return st.unsupportedAdd(in, c)
	}
	return nil
}

func (st *stage) refuse(in dockerfile.Instruction, flag, instead string) error {
	return st.session.plan.File.Errorf(in, flag, "%s %s is not supported by this builder: %s", in.Name, flag, instead)
}

func (st *stage) unsupportedRun(in dockerfile.Instruction, c *dockerfile.Run) error {
	mounts, err := st.scope.Mounts(in, c)
	switch {
	case err != nil:
		return err
	case len(mounts) > 0:
		return st.refuse(in, "--mount", "leave it out, or COPY what the command needs")
	case dockerfile.Network(c) == "host":
		return st.refuse(in, "--network", "RUN has no network here, --network=none and --network=default mean the same")
	case dockerfile.Security(c) == "insecure":
		return st.refuse(in, "--security", "a build step never gets more rights than a container has")
	case len(c.Files) == 0:
		return nil
	}
	script, err := st.session.plan.File.Script(in, c)
	if err == nil && script.Path != "" {
		first, _, _ := strings.Cut(script.Text, "\n")
		return st.session.plan.File.Errorf(in, "<<", "a here-document with an interpreter of its own (%s) is not supported by this builder: pass it to the interpreter, as in RUN python3 <<EOF", first)
	}
	return err
}

func (st *stage) unsupportedAdd(in dockerfile.Instruction, c *dockerfile.Add) error {
	switch {
	case c.Checksum != "":
		return st.refuse(in, "--checksum", "it is for downloads, and ADD takes local files only")
	case c.KeepGitDir != nil:
		return st.refuse(in, "--keep-git-dir", "ADD takes local files only")
	case c.Unpack != nil && *c.Unpack:
		return st.refuse(in, "--unpack", "unpack the archive in a RUN")
	}
	for _, src := range c.SourcePaths {
		if remote(src) {
			return st.session.plan.File.Errorf(in, src, "ADD of %s is not supported by this builder: it takes files of the build context only", src)
		}
	}
	return nil
}

func remote(src string) bool {
	for _, prefix := range []string{"http://", "https://", "git://", "ssh://", "git@"} {
		if strings.HasPrefix(strings.ToLower(src), prefix) {
			return true
		}
	}
	return false
}
