package dockerfile

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// supported refuses what the builder can't do yet, before anything is built.
func (f *File) supported(in Instruction, parsed any) error {
	switch c := parsed.(type) {
	case *Run:
		return f.supportedRun(in, c)
	case *Copy:
		if strings.ContainsRune(c.From, '$') {
			return f.Errorf(in, "--from", "variables are not expanded in COPY --from: give a stage a name with FROM %s AS name, and copy from that name", c.From)
		}
	case *Add:
		return f.supportedAdd(in, c)
	}
	return nil
}

func (f *File) unsupported(in Instruction, flag, instead string) error {
	return f.Errorf(in, flag, "%s %s is not supported by this builder: %s", in.Name, flag, instead)
}

func (f *File) supportedRun(in Instruction, c *Run) error {
	if len(instructions.GetMounts(c)) > 0 {
		return f.unsupported(in, "--mount", "leave it out, or COPY what the command needs")
	}
	if n := instructions.GetNetwork(c); n == instructions.NetworkHost {
		return f.unsupported(in, "--network", "RUN has no network here, --network=none and --network=default mean the same")
	}
	if instructions.GetSecurity(c) == instructions.SecurityInsecure {
		return f.unsupported(in, "--security", "a build step never gets more rights than a container has")
	}
	for _, flag := range c.FlagsUsed {
		if flag == "device" {
			return f.unsupported(in, "--device", "build steps get no devices")
		}
	}
	return nil
}

func (f *File) supportedAdd(in Instruction, c *Add) error {
	if c.Checksum != "" {
		return f.unsupported(in, "--checksum", "it is for downloads, and ADD takes local files only")
	}
	if c.KeepGitDir != nil {
		return f.unsupported(in, "--keep-git-dir", "ADD takes local files only")
	}
	for _, src := range c.SourcePaths {
		if remote(src) {
			return f.Errorf(in, src, "ADD of %s is not supported by this builder: it takes files of the build context only", src)
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
