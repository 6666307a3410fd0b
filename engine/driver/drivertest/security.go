package drivertest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/trace/vocab"
)

// testSecurity holds a driver to what the options for safety and namespaces say. What a machine can't have it says so of: nothing is left out in
// silence.
func testSecurity(t *testing.T, l *lab) {
	cases := slices.Concat(powerCases(), kernelCases())
	each(t, cases, func(c programCase) string { return c.rule }, func(t *testing.T, c programCase) {
		spec := l.spec(t, script(c.script)...)
		c.change(&spec)
		task, err := l.Runtime.Create(t.Context(), spec)
		if errors.Is(err, driver.ErrUnsupported) {
			t.Skipf("this machine has none: %v", err)
		}
		must(t, err)
		must(t, task.Delete(t.Context()))
		r := l.run(t, spec)
		if r.Code != c.code || r.out != c.out || !complaints(r.errs, c.errs) {
			t.Errorf("code %d, output %q, errors %q;\nwant %d, %q, %q", r.Code, r.out, r.errs, c.code, c.out, c.errs)
		}
	})
	l.tests(t, initTests(), refusals(), securityEvents())
}

func without(drop ...string) func(*driver.Spec) {
	return func(s *driver.Spec) {
		s.Process.Powers = slices.DeleteFunc(standard.CapabilityNames(), func(n string) bool { return slices.Contains(drop, n) })
	}
}

func with(add ...string) func(*driver.Spec) {
	return func(s *driver.Spec) { s.Process.Powers = append(standard.CapabilityNames(), add...) }
}

const powerRows = "grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb):' /proc/self/status | cut -f2 | tr '\\n' ' '"

func powerCases() []programCase {
	none, usual := "0000000000000000 ", "00000000a80425fb "
	return []programCase{
		{rule: "root has the usual powers and hands none down", script: powerRows, change: with(), out: none + usual + usual + usual + none},
		{rule: "another user has none, and can get the usual ones", script: powerRows, change: func(s *driver.Spec) { s.Process.UID = 5 }, out: none + none + none + usual + none},
		{rule: "without any power", script: powerRows, change: func(s *driver.Spec) { s.Process.Powers = []string{} }, out: strings.Repeat(none, 5)},
		{rule: "a power more", script: powerRows, change: with("CAP_NET_ADMIN"), out: none + strings.Repeat("00000000a80435fb ", 3) + none},
		{rule: "without CAP_CHOWN root gives no file away", script: "touch /x; chown 5 /x", change: without("CAP_CHOWN"), code: 1, errs: notAllowed},
		{rule: "without CAP_DAC_OVERRIDE root reads no closed file", script: "chown 5 /etc/shadow; chmod 600 /etc/shadow; cat /etc/shadow", change: without("CAP_DAC_OVERRIDE"), code: 1, errs: denied},
		{rule: "with CAP_DAC_READ_SEARCH it reads and does not write", script: "chown 5 /etc/shadow; chmod 600 /etc/shadow; cat /etc/shadow | wc -l; echo x > /etc/shadow",
			change: func(s *driver.Spec) {
				without("CAP_DAC_OVERRIDE")(s)
				s.Process.Powers = append(s.Process.Powers, "CAP_DAC_READ_SEARCH")
			}, code: 1, out: "4\n", errs: denied},
		{rule: "without CAP_FOWNER root changes no mode of others' files", script: "touch /x; chown 5 /x; chmod 777 /x", change: without("CAP_FOWNER"), code: 1, errs: notAllowed},
		{rule: "without CAP_MKNOD root makes no device", script: "mknod /x c 1 3", change: without("CAP_MKNOD"), code: 1, errs: notAllowed},
		{rule: "without CAP_SYS_ADMIN root mounts nothing", script: "mount -t tmpfs x /tmp", change: with(), code: 32, errs: notAllowed},
		{rule: "with CAP_SYS_ADMIN it does, as the filter allows it then", script: "mount -t tmpfs x /tmp && echo mounted", change: with("CAP_SYS_ADMIN"), out: "mounted\n"},
		{rule: "no filter gives no power", script: "mount -t tmpfs x /tmp", change: func(s *driver.Spec) { s.Process.Seccomp = driver.Unconfined }, code: 32, errs: notAllowed},
		{rule: "no filter", script: "grep ^Seccomp: /proc/self/status", change: func(s *driver.Spec) { s.Process.Seccomp = driver.Unconfined }, out: "Seccomp:\t0\n"},
		{rule: "a filter unless it is said otherwise", script: "grep ^Seccomp: /proc/self/status", change: with(), out: "Seccomp:\t2\n"},
		{rule: "no new privileges", script: "grep ^NoNew /proc/self/status", change: func(s *driver.Spec) { s.Process.NoNewPrivs = true }, out: "NoNewPrivs:\t1\n"},
		{rule: "a privileged one has no filter and may mount", script: "grep ^Seccomp: /proc/self/status; mount -t tmpfs x /tmp && echo mounted", change: func(s *driver.Spec) { s.Process.Privileged = true }, out: "Seccomp:\t0\nmounted\n"},
	}
}

func kernelCases() []programCase {
	return []programCase{
		{rule: "a privileged one has nothing masked", script: "grep -cE ' /(proc|sys/firmware)/' /proc/mounts", change: func(s *driver.Spec) { s.Process.Privileged = true }, code: 1, out: "0\n"},
		{rule: "nothing masked where that is asked for", script: "grep -c ' /proc/' /proc/mounts", change: func(s *driver.Spec) { s.Masked, s.Unwritten = []string{}, []string{} }, code: 1, out: "0\n"},
		{rule: "masked what is asked for", script: "cat /etc/shadow | wc -c; ls /root | wc -l", change: func(s *driver.Spec) { s.Masked = []string{"/etc/shadow", "/root", "/not/there"} }, out: "0\n0\n"},
		{rule: "without shared memory", script: "ls /dev/shm; grep -c ' /dev/shm ' /proc/mounts", change: func(s *driver.Spec) { s.Shared.IPC = driver.NamespaceNone }, code: 1, out: "0\n", errs: "No such file or directory\n"},
		{rule: "settings of its own", script: "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward", change: func(s *driver.Spec) {
			s.Sysctls = map[string]string{"kernel.msgmax": "65536", "net.ipv4.ip_forward": "1"}
		}, out: "65536\n1\n"},
		{rule: "a device under another name", script: "head -c 2 /dev/nought | od -An -tx1 | tr -d ' '", change: func(s *driver.Spec) {
			s.Devices = []driver.Device{{Source: "/dev/zero", Target: "/dev/nought", Access: "rwm"}}
		}, out: "0000\n"},
		{rule: "a device outside of /dev", script: "head -c 2 /srv/deep/nought | od -An -tx1 | tr -d ' '", change: func(s *driver.Spec) {
			s.Devices = []driver.Device{{Source: "/dev/zero", Target: "/srv/deep/nought", Access: "rwm"}}
		}, out: "0000\n"},
		{rule: "a device that may only be written to", script: "head -c 1 /dev/x | wc -c", change: func(s *driver.Spec) {
			s.Devices = []driver.Device{{Source: "/dev/kmsg", Target: "/dev/x", Access: "w"}}
		}, out: "0\n", errs: notAllowed},
		{rule: "in the host's UTS namespace its name can't be changed", script: "hostname x", change: func(s *driver.Spec) { s.Shared.UTS = driver.NamespaceHost }, code: 1, errs: notAllowed},
	}
}

// initTests are about the small init as the first process.
func initTests() []test {
	return []test{
		{"init is the first process, passes signals on and ends as the command does", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("trap 'echo got; exit 7' TERM; ls -l /proc/self/fd | grep -c -e memfd -e socket; echo pid $$; while :; do sleep 1000 & wait $!; done")...)
			spec.Init = true
			b := l.startStatic(t, spec)
			eventually(t, "the trap", func() bool { return strings.Contains(b.out.String(), "pid ") })
			if out := b.out.String(); !strings.HasPrefix(out, "0\n") || strings.HasSuffix(out, "pid 1\n") {
				t.Errorf("the command has more descriptors, or is process 1: %q", out)
			}
			if r := b.exec("tr '\\0' ' ' < /proc/1/cmdline | cut -c1-16"); strings.TrimSpace(r.out) != "learn-init -- sh" {
				t.Errorf("process 1: %q", r.out)
			}
			must(t, b.Signal(t.Context(), 15))
			if r := b.wait(); r.Code != 7 || !strings.HasSuffix(r.out, "got\n") {
				t.Errorf("%+v", r)
			}
		}},
		{"init takes the exit status of orphans", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("sh -c 'sh -c \"exit 3\" & sh -c \"sleep 0.01\" &'; sleep 0.3; ps | grep -c '[Z]'; kill -9 $$")...)
			spec.Init = true
			if r := l.startStatic(t, spec).wait(); r.Code != 137 || r.out != "0\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"a command that is not there is the same error with an init", func(t *testing.T, l *lab) {
			spec := l.spec(t, "nosuch")
			spec.Init = true
			err := l.create(t, spec).Start(t.Context(), driver.Streams{})
			var cmd *driver.CommandError
			if !errors.As(err, &cmd) || cmd.Code != 127 {
				t.Errorf("%v", err)
			}
		}},
	}
}

// startStatic starts a container with an init, which is the engine's own binary: that has to stand on its own.
func (l *lab) startStatic(t *testing.T, spec driver.Spec) *box {
	t.Helper()
	b := l.create(t, spec)
	err := b.Start(t.Context(), b.streams(nil))
	if err != nil && strings.Contains(err.Error(), "linked dynamically") {
		t.Skip("needs a test binary without a loader (CGO_ENABLED=0); cmd/learn's TestInit builds one")
	}
	must(t, err)
	return b
}

func refusals() []test {
	refused := func(rule, want string, change func(*driver.Spec)) test {
		return test{rule, func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			change(&spec)
			task, err := l.Runtime.Create(t.Context(), spec)
			if err == nil {
				err = task.Start(t.Context(), driver.Streams{})
				must(t, task.Delete(t.Context()))
			}
			if err == nil || !strings.Contains(err.Error(), want) && !errors.Is(err, driver.ErrUnsupported) {
				t.Errorf("error %v, want %q", err, want)
			}
		}}
	}
	return []test{
		refused("a capability that there is not", `unknown capability: "CAP_FOO"`, func(s *driver.Spec) { s.Process.Powers = []string{"CAP_FOO"} }),
		refused("a setting that there is not", "set net.ipv4.nope: open /proc/sys/net/ipv4/nope: no such file or directory", func(s *driver.Spec) { s.Sysctls = map[string]string{"net.ipv4.nope": "1"} }),
		refused("a device that there is not", `custom device "/dev/nope": no such file or directory`, func(s *driver.Spec) {
			s.Devices = []driver.Device{{Source: "/dev/nope", Target: "/dev/nope", Access: "rwm"}}
		}),
		refused("the processes of a container that does not run", "is not running", func(s *driver.Spec) { s.Shared.PID = driver.Of("nobody") }),
		refused("the network of a container that does not run", "is not running", func(s *driver.Spec) { s.Network = driver.Of("nobody") }),
		refused("the own namespace", "pid", func(s *driver.Spec) { s.Shared.PID = driver.Of(s.ID) }),
		refused("a word that names nobody's namespace", `uts "somebody"`, func(s *driver.Spec) { s.Shared.UTS = "somebody" }),
		refused("a profile that is none", "make system call filter", func(s *driver.Spec) { s.Process.Seccomp = "{" }),
	}
}

func securityEvents() []test {
	return []test{
		{"what is shared, given and forbidden is told", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Shared.UTS, spec.Network = driver.NamespaceHost, driver.NetworkHost
			spec.Process.NoNewPrivs, spec.Process.Powers = true, []string{"CAP_KILL"}
			spec.Devices = []driver.Device{{Source: "/dev/zero", Target: "/dev/nought", Access: "rwm"}}
			spec.Sysctls = map[string]string{"kernel.msgmax": "9000"}
			events := l.runTraced(t, spec)
			for _, want := range []struct{ kind, key, value string }{{vocab.NamespaceJoin, "namespace", "uts net"}, {vocab.NamespaceJoin, "of", "host host"},
				{vocab.NamespaceCreate, "namespace", "mnt pid ipc cgroup"}, {vocab.DeviceAdd, "path", "/dev/nought"}, {vocab.HostnameSet, "hostname", ""}} {
				if got := strings.Join(strings.Fields(strings.Join(attrs(events, want.kind, want.key), " ")), " "); got != want.value {
					t.Errorf("%s %s: %q, want %q", want.kind, want.key, got, want.value)
				}
			}
			seen := map[string]bool{}
			for _, e := range events {
				seen[e.Kind] = true
				if e.Kind == vocab.CapsDrop && strings.Join(e.Attr("kept").List(), " ") != "CAP_KILL" {
					t.Errorf("kept %v", e.Attr("kept").List())
				}
				if e.Kind == vocab.SysctlSet && e.Attr("name").Str() == "kernel.msgmax" {
					seen["msgmax "+e.Attr("value").Str()] = true
				}
			}
			for _, kind := range []string{vocab.NoNewPrivs, vocab.SeccompLoad, "msgmax 9000"} {
				if !seen[kind] {
					t.Errorf("no %s", kind)
				}
			}
		}},
	}
}
