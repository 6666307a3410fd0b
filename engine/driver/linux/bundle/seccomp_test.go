//go:build linux

package bundle_test

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestFilter(t *testing.T) {
	errno := uint(95) // EOPNOTSUPP
	for name, nnp := range map[string]bool{"with new privileges": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.spec.Process.NoNewPrivileges = nnp
			l.spec.Process.User.UID = 1000
			l.spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
				{Names: []string{"mkdir", "mkdirat", "nosuchcall"}, Action: specs.ActErrno, ErrnoRet: &errno},
				{Names: []string{"capset", "setgroups", "close_range"}, Action: specs.ActKillProcess}}}
			l.file("tmp/x", "", 0o666)
			if got := l.run("mkdir /tmp/y 2>&1; grep Seccomp: /proc/self/status | tr -d '\\t'; grep CapEff /proc/self/status | tr -d '\\t'"); got !=
				"mkdir: can't create directory '/tmp/y': Operation not supported\nSeccomp:2\nCapEff:0000000000000000" {
				t.Errorf("%s", got)
			}
		})
	}
}
