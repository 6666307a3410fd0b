package drivertest

import (
	"errors"
	"slices"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
)

// programCase is a program run to its end, and what comes of it.
type programCase struct {
	rule      string
	args      []string // or
	script    string
	change    func(*driver.Spec)
	code      int
	out, errs string
}

func testPrograms(t *testing.T, l *lab) {
	cases := slices.Concat(exitCases(), environmentCases(), userCases(), procCases(), deviceCases())
	each(t, cases, func(c programCase) string { return c.rule }, func(t *testing.T, c programCase) {
		args := c.args
		if args == nil {
			args = script(c.script)
		}
		spec := l.spec(t, args...)
		if c.change != nil {
			c.change(&spec)
		}
		r := l.run(t, spec)
		if r.Code != c.code || r.out != c.out || !complaints(r.errs, c.errs) || r.OOMKilled {
			t.Errorf("code %d, output %q, errors %q (%+v);\nwant %d, %q, %q", r.Code, r.out, r.errs, r.Exit, c.code, c.out, c.errs)
		}
	})
	each(t, commandErrors(), func(c commandError) string { return c.rule }, func(t *testing.T, c commandError) { c.check(t, l) })
}

func exitCases() []programCase {
	return []programCase{
		{rule: "exit 0", args: []string{"true"}},
		{rule: "exit 1", args: []string{"false"}, code: 1},
		{rule: "exit 42", script: "exit 42", code: 42},
		{rule: "exit 255", script: "exit 255", code: 255},
		{rule: "an exit code is a byte", script: "exit 256"},
		{rule: "a script ends with its last command's code", script: "true; false", code: 1},
		{rule: "127 from a shell for a command that is not there", script: "nonesuch", code: 127, errs: "not found\n"},
		{rule: "126 from a shell for a command that can't be executed", script: "/etc/passwd", code: 126, errs: denied},
		{rule: "a program is found by an absolute path", args: []string{"/bin/echo", "hi"}, out: "hi\n"},
		{rule: "a program is found by a path relative to the working folder", args: []string{"./echo", "hi"}, change: func(s *driver.Spec) { s.Process.Cwd = "/bin" }, out: "hi\n"},
		{rule: "PATH is searched in order", args: []string{"echo", "hi"}, change: func(s *driver.Spec) { s.Process.Env = []string{"PATH=/nowhere:/usr/bin:/bin"} }, out: "hi\n"},
		{rule: "arguments arrive as they are", args: []string{"printf", "[%s]", "", " a  b ", "*", "$HOME", "'\"\\", "\n"}, out: "[][ a  b ][*][$HOME]['\"\\][\n]"},
		{rule: "a script with #! runs by its interpreter", script: "printf '#!/bin/sh\\necho ran $0 $*\\n' > /s; chmod 755 /s; /s a b", out: "ran /s a b\n"},
		{rule: "a script in which the interpreter has an argument", script: "printf '#!/bin/sh -e\\nfalse\\necho not here\\n' > /s; chmod 755 /s; /s", code: 1},
	}
}

// commandError is a first process that can't be executed, by Start and by Exec alike.
type commandError struct {
	rule   string
	args   []string
	prepar string // script that prepares the layer
	change func(*driver.Process)
	code   int
	msg    string // what the error must say
}

func commandErrors() []commandError {
	return []commandError{
		{rule: "127 for a name that is not in PATH", args: []string{"nonesuch"}, code: 127, msg: `exec: "nonesuch": executable file not found in $PATH`},
		{rule: "127 for a path that is not there", args: []string{"/nonesuch"}, code: 127, msg: `exec: "/nonesuch": stat /nonesuch: no such file or directory`},
		{rule: "127 for a name with an empty PATH", args: []string{"echo"}, change: func(p *driver.Process) { p.Env = []string{"PATH="} }, code: 127, msg: `exec: "echo": executable file not found in $PATH`},
		{rule: "126 for a file that is not executable", args: []string{"/etc/passwd"}, code: 126, msg: `exec: "/etc/passwd": permission denied`},
		{rule: "126 for a folder", args: []string{"/etc"}, code: 126, msg: `exec: "/etc": is a directory`},
		{rule: "126 for what is no program", args: []string{"/broken"}, prepar: "echo no program > /broken; chmod 755 /broken", code: 126, msg: `exec /broken: exec format error`},
		{rule: "126 for an empty file", args: []string{"/empty"}, prepar: "touch /empty; chmod 755 /empty", code: 126, msg: "exec /empty: exec format error"},
		{rule: "127 for a script whose interpreter is not there", args: []string{"/script"}, prepar: "echo '#!/nonesuch' > /script; chmod 755 /script", code: 127, msg: "exec /script: no such file or directory"},
		{rule: "126 for a program that only others may execute", args: []string{"/other"}, prepar: "cp /bin/learn /other; chown 1:1 /other; chmod 700 /other",
			change: func(p *driver.Process) { p.UID, p.GID = 5, 5 }, code: 126, msg: `exec: "/other": permission denied`},
		{rule: "127 for a link that leads nowhere", args: []string{"/link"}, prepar: "ln -s /nonesuch /link", code: 127, msg: `exec: "/link": stat /link: no such file or directory`},
	}
}

func (c commandError) check(t *testing.T, l *lab) {
	key := l.prepare(t, l.Base)
	if c.prepar != "" {
		must(t, l.runOn(t, l.specOn(t, key, script(c.prepar)...)).Delete(t.Context()))
	}
	spec := l.specOn(t, key, c.args...)
	if c.change != nil {
		c.change(&spec.Process)
	}
	b := l.create(t, spec)
	c.compare(t, "start", b.Start(t.Context(), b.streams(nil)))
	if state := b.state(); state != driver.Ready {
		t.Errorf("state %s, want ready", state)
	}
	must(t, b.Delete(t.Context()))
	stay := l.specOn(t, key, "cat")
	stay.OpenStdin = true
	_, err := l.start(t, stay).try(spec.Process, nil)
	c.compare(t, "exec", err)
}

func (c commandError) compare(t *testing.T, what string, err error) {
	t.Helper()
	var cmd *driver.CommandError
	if !errors.As(err, &cmd) || !errors.Is(err, driver.ErrCommand) {
		t.Errorf("%s: error %v, want a CommandError", what, err)
		return
	}
	if cmd.Code != c.code || cmd.Msg != c.msg {
		t.Errorf("%s: %d %s, want %d %s", what, cmd.Code, cmd.Msg, c.code, c.msg)
	}
}

func environmentCases() []programCase {
	return []programCase{
		{rule: "variables are those of the process and no others", args: []string{"env"}, change: func(s *driver.Spec) { s.Process.Env = []string{"PATH=/bin", "A=1", "EMPTY=", "E=a=b"} }, out: "PATH=/bin\nA=1\nEMPTY=\nE=a=b\n"},
		{rule: "without variables a program with a path runs", args: []string{"/bin/env"}, change: func(s *driver.Spec) { s.Process.Env = nil }},
		{rule: "a variable of many lines", args: []string{"printenv", "V"}, change: func(s *driver.Spec) { s.Process.Env = append(s.Process.Env, "V=a\nb 'c'") }, out: "a\nb 'c'\n"},
		{rule: "children inherit exported variables only", script: "A=1; export B=2; sh -c 'echo $A-$B'", out: "-2\n"},
		{rule: "the working folder", args: []string{"pwd"}, change: func(s *driver.Spec) { s.Process.Cwd = "/var/log" }, out: "/var/log\n"},
		{rule: "a working folder that is not there is made", script: "pwd; stat -c '%a %u' .", change: func(s *driver.Spec) { s.Process.Cwd = "/made/for/this" }, out: "/made/for/this\n755 0\n"},
		{rule: "a working folder through a link", script: "pwd -P", change: func(s *driver.Spec) { s.Process.Cwd = "/var/run" }, out: "/run\n"},
		{rule: "the host name is the container's", script: "hostname; cat /etc/hostname; cat /proc/sys/kernel/hostname; uname -n", out: "lab\nlab\nlab\nlab\n"},
		{rule: "/etc/hosts names the loopback and the container", script: "grep -c '^127.0.0.1.localhost$' /etc/hosts; grep -cw lab /etc/hosts", out: "1\n1\n"},
		{rule: "the umask is 022", script: "umask; touch /n; stat -c %a /n", out: "0022\n644\n"},
	}
}

func userCases() []programCase {
	as := func(uid, gid uint32, groups ...uint32) func(*driver.Spec) {
		return func(s *driver.Spec) { s.Process.UID, s.Process.GID, s.Process.Groups = uid, gid, groups }
	}
	return []programCase{
		{rule: "root is 0:0", script: "id -u; id -g", out: "0\n0\n"},
		{rule: "user and group of the process", script: "id -u; id -g; id -un", change: as(65534, 33), out: "65534\n33\nnobody\n"},
		{rule: "an id without a name", script: "id -u; stat -Lc %u /proc/self", change: as(4321, 4321), out: "4321\n4321\n"},
		{rule: "supplementary groups", script: "id -G", change: as(5, 6, 6, 77, 100), out: "6 77 100\n"},
		{rule: "a user may not read what only root may", args: []string{"cat", "/etc/shadow"}, change: as(5, 5), code: 1, errs: denied},
		{rule: "root may read what nobody may", script: "chmod 0 /etc/shadow; cat /etc/shadow | wc -l", out: "4\n"},
		{rule: "a user may not enter what is closed to it", script: "ls /root; cat /root/x", change: as(5, 5), code: 1, errs: denied + denied},
		{rule: "a user may write in /tmp and not in /", script: "echo x > /tmp/x && cat /tmp/x; echo x > /x", change: as(5, 5), code: 1, out: "x\n", errs: denied},
		{rule: "a user's file is the user's", script: "touch /tmp/x; stat -c %u:%g /tmp/x", change: as(5, 6), out: "5:6\n"},
		{rule: "a user may not change the owner of a file", script: "touch /tmp/x; chown 7 /tmp/x", change: as(5, 5), code: 1, errs: notAllowed},
		{rule: "a user may not change the mode of another's file", script: "chmod 777 /etc/passwd", change: as(5, 5), code: 1, errs: notAllowed},
	}
}

func procCases() []programCase {
	return []programCase{
		{rule: "the first process has number 1", script: "echo $$", out: "1\n"},
		{rule: "/proc/1/cmdline is the command", args: []string{"cat", "/proc/1/cmdline", "-"}, out: "cat\x00/proc/1/cmdline\x00-\x00"},
		{rule: "/proc/self is the process that looks", args: []string{"readlink", "/proc/self", "/proc/thread-self"}, out: "1\n1/task/1\n"},
		{rule: "/proc/self/environ is the environment", args: []string{"cat", "/proc/self/environ"}, change: func(s *driver.Spec) { s.Process.Env = []string{"PATH=/bin", "A=1"} }, out: "PATH=/bin\x00A=1\x00"},
		{rule: "/proc/self/cwd and exe lead where they should", args: []string{"readlink", "/proc/self/cwd", "/proc/self/exe"}, change: func(s *driver.Spec) { s.Process.Cwd = "/var" }, out: "/var\n/bin/learn\n"},
		{rule: "/proc/self/status tells user and parent", args: []string{"grep", "-E", "^(Name|Pid|PPid|Uid|Gid):", "/proc/self/status"}, change: func(s *driver.Spec) { s.Process.UID, s.Process.GID = 5, 6 },
			out: "Name:\tgrep\nPid:\t1\nPPid:\t0\nUid:\t5\t5\t5\t5\nGid:\t6\t6\t6\t6\n"},
		{rule: "only the container's processes are seen", args: []string{"find", "/proc", "-maxdepth", "1", "-name", "[0-9]*"}, out: "/proc/1\n"},
		{rule: "/proc/PID goes with the process", script: "sleep 1000 & p=$!; [ -d /proc/$p ] && echo there; kill $p; wait $p; [ -d /proc/$p ] || echo gone", out: "there\ngone\n"},
		{rule: "nobody writes in /proc/sys and /sys", script: "echo x > /proc/sys/kernel/hostname; mkdir /sys/x", code: 1, errs: readOnlyFS + readOnlyFS},
		{rule: "masked paths are empty", script: "cat /proc/keys /proc/timer_list | wc -c; ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | tr -d '\\n'", out: "0\n"},
		{rule: "the kernel is Linux", script: "uname -s; uname", out: "Linux\nLinux\n"},
		{rule: "/ is an overlay, /proc a proc, /dev and /dev/shm a tmpfs", script: `while read a b c d mp e; do case $mp in /|/proc|/dev|/dev/shm|/sys) t=${e##* - }; echo $mp ${t%% *};; esac; done < /proc/self/mountinfo | sort -u`,
			out: "/ overlay\n/dev tmpfs\n/dev/shm tmpfs\n/proc proc\n/sys sysfs\n"},
		{rule: "/proc/mounts and mountinfo agree", script: "cut -d' ' -f2 /proc/mounts > /tmp/a; cut -d' ' -f5 /proc/self/mountinfo | cmp - /tmp/a && echo same", out: "same\n"},
	}
}

func deviceCases() []programCase {
	return []programCase{
		{rule: "/dev/null reads nothing and takes all", script: "cat /dev/null; echo x > /dev/null; stat -c '%A %t:%T' /dev/null", out: "crw-rw-rw- 1:3\n"},
		{rule: "/dev/zero reads zeros", script: "head -c 3 /dev/zero | od -An -tx1 | tr -d ' '", out: "000000\n"},
		{rule: "/dev/full is full", script: "head -c 1 /dev/zero > /dev/full", code: 1, errs: noSpace},
		{rule: "/dev/urandom and /dev/random read bytes that differ", script: "head -c 16 /dev/urandom > /tmp/a; head -c 16 /dev/random > /tmp/b; cmp -s /tmp/a /tmp/b; echo $?; wc -c < /tmp/a", out: "1\n16\n"},
		{rule: "/dev/stdin, stdout and stderr lead to the streams", script: "echo out > /dev/stdout; echo err > /dev/stderr; readlink /dev/fd /dev/stdin", out: "out\n/proc/self/fd\n/proc/self/fd/0\n", errs: "err\n"},
		{rule: "the folders of /dev", script: "stat -c '%n %A' /dev/shm /dev/pts /dev/mqueue", out: "/dev/shm drwxrwxrwt\n/dev/pts drwxr-xr-x\n/dev/mqueue drwxrwxrwt\n"},
		{rule: "names in /dev are these", script: "ls /dev | tr '\\n' ' '", out: "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "},
		{rule: "/dev/tty without a terminal is an error", script: "echo x > /dev/tty", code: 1, errs: noDevice},
	}
}
