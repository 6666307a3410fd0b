package userland_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/userland"
	"github.com/learn-containers/learn/engine/userland/memfs"
)

// The test binary stands in for the real one: called by a program's name it is that program.
func TestMain(m *testing.M) {
	if name := path.Base(os.Args[0]); slices.Contains(userland.Names(), name) {
		os.Exit(userland.Main(os.Args))
	}
	os.Exit(m.Run())
}

// machine is a small tree in memory with every program in /bin.
func machine(t *testing.T) userland.Env {
	t.Helper()
	epoch := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tree := memfs.New(func() time.Time { return epoch })
	env := userland.Env{FS: tree, Environ: []string{"PATH=/bin", "HOME=/root"}, Dir: "/work", Now: func() time.Time { return epoch }}
	for _, d := range []string{"/bin", "/etc", "/work", "/tmp", "/root", "/work/d"} {
		if err := tree.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put := func(name, text string, mode os.FileMode) {
		f, err := tree.OpenFile(name, os.O_CREATE|os.O_WRONLY, mode)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, text)
		f.Close()
	}
	for _, name := range userland.Names() {
		put("/bin/"+name, "", 0o755)
	}
	put("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n", 0o644)
	put("/etc/group", "root:x:0:\nann:x:1000:\n", 0o644)
	put("/work/a", "one\ntwo\nthree\n", 0o644)
	put("/work/b", "one\n2\nthree\n", 0o600)
	put("/work/n", "10\n9\n100\n9\n", 0o644)
	put("/work/d/x.txt", "hello\n", 0o644)
	return env
}

func run(env userland.Env, script string) string {
	var out bytes.Buffer
	env.Stdin, env.Stdout, env.Stderr = strings.NewReader(""), &out, &out
	n := userland.Run(context.Background(), env, []string{"sh", "-c", script})
	return out.String() + code(n)
}

// code is how an exit code is written in the tables: nothing for 0, else [007].
func code(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("[%03d]", n)
}

func TestPrograms(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths of the host are not those of the tree")
	}
	for _, c := range []struct{ script, want string }{
		{`cat a`, "one\ntwo\nthree\n"},
		{`cat -n b`, "     1\tone\n     2\t2\n     3\tthree\n"},
		{`cat /x`, "cat: /x: No such file or directory\n[001]"},
		{`cat d`, "cat: d: Is a directory\n[001]"},
		{`ls`, "a\nb\nd\nn\n"},
		{`ls -l b`, "-rw------- 1 root root 12 Jan  2 03:04 b\n"},
		{`ls nope`, "ls: cannot access 'nope': No such file or directory\n[002]"},
		{`ls -R d`, "d:\nx.txt\n"},
		{`mkdir -p p/q && ls -d p/q; rmdir p`, "p/q\nrmdir: failed to remove 'p': Directory not empty\n[001]"},
		{`mkdir d`, "mkdir: cannot create directory 'd': File exists\n[001]"},
		{`cp a c && cmp a c && rm c && ls c`, "ls: cannot access 'c': No such file or directory\n[002]"},
		{`cp d e`, "cp: -r not specified; omitting directory 'd'\n[001]"},
		{`cp -r d e && cat e/x.txt`, "hello\n"},
		{`mv a z && cat z`, "one\ntwo\nthree\n"},
		{`mkdir old new; echo x > new/f; mv -T new old && ls && cat old/f`, "a\nb\nd\nn\nold\nx\n"},
		{`rm d`, "rm: cannot remove 'd': Is a directory\n[001]"},
		{`rm -rf d nope && ls`, "a\nb\nn\n"},
		{`ln -s a l && readlink l && cat l && stat -c '%F %N' l`, "a\none\ntwo\nthree\nsymbolic link l -> a\n"},
		{`ln a h && stat -c %h a`, "2\n"},
		{`chmod u=rw,go= a && stat -c %a a; chmod +x a; stat -c '%a %A' a`, "600\n711 -rwx--x--x\n"},
		{`chown ann:ann a && stat -c '%U:%G %u' a`, "ann:ann 1000\n"},
		{`touch -d 2020-05-06 a && stat -c %y a`, "2020-05-06 00:00:00.000000000 +0000\n"},
		{`head -n 1 a; tail -n 1 a; tail -n +3 a; head -c 3 a`, "one\nthree\nthree\none"},
		{`wc -l a; wc a`, "3 a\n 3  3 14 a\n"},
		{`grep -n t a; grep -c t a; grep -v t a; grep q a`, "2:two\n3:three\n2\none\n[001]"},
		{`grep -rl hello .; grep -ow 'h[a-z]*' d/x.txt; grep -E '^(one|three)$' a`, "./d/x.txt\nhello\none\nthree\n"},
		{`grep 'a\|w' a`, "two\n"},
		{`sed 's/o/0/g' a; sed -n '2p' a; sed '2,$d' a; sed '/two/,/three/d' a`, "0ne\ntw0\nthree\ntwo\none\none\n"},
		{`sed -i 's/two/2/' a && cmp a b; sed -E 's/(t)(h)/\2\1/' a | tail -n 1`, "htree\n"},
		{`sed -e '1i top' -e '$a end' -e 2q b`, "top\none\n2\n"},
		{`sort n; sort -n n; sort -rnu n`, "10\n100\n9\n9\n9\n9\n10\n100\n100\n10\n9\n"},
		{`sort n | uniq -c; sort n | uniq -d`, "      1 10\n      1 100\n      2 9\n9\n"},
		{`echo hello | tr a-y b-z; echo aab | tr -s a; echo a1b | tr -d '[:digit:]'`, "ifmmp\nab\nab\n"},
		{`cut -d: -f1,3 /etc/passwd; echo abcdef | cut -c2-3`, "root:0\nann:1000\nbc\n"},
		{`find . -name '*.txt' -type f; find . -type d | sort; find d -exec echo {} \;`, "./d/x.txt\n.\n./d\nd\nd/x.txt\n"},
		{`find a b -newer a; find . -size +100k; find . -maxdepth 1 -type f | xargs wc -c | tail -n 1`, "37 total\n"},
		{`printf '%s|%5d|%-3s|%x\n' a 42 b 255; printf '%s\n' 1 2`, "a|   42|b  |ff\n1\n2\n"},
		{`echo -e 'a\tb'; echo -n x`, "a\tb\nx"},
		{`seq 3; seq -w 8 10; seq 2 -1 1`, "1\n2\n3\n08\n09\n10\n2\n1\n"},
		{`test -f a && [ -d d ] && ! test 1 -gt 2 && echo yes`, "yes\n"},
		{`expr 2 + 3 \* 4; expr abc : 'a\(.\)'; basename /x/y.c .c; dirname /x/y`, "14\nb\ny\n/x\n"},
		{`date -u -d @86400 +%F; date +%Y`, "1970-01-02\n2026\n"},
		{`sha256sum d/x.txt | cut -c1-8; md5sum d/x.txt`, "5891b5b5\nb1946ac92492d2347c6235b4d2611184  d/x.txt\n"},
		{`base64 d/x.txt; base64 d/x.txt | base64 -d`, "aGVsbG8K\nhello\n"},
		{`tar czf t.tgz a d && tar tf t.tgz && mkdir o && tar xf t.tgz -C o && cat o/d/x.txt`, "a\nd/\nd/x.txt\nhello\n"},
		{`gzip a && ls a*; zcat a.gz | head -n1; gunzip a.gz && ls a*`, "a.gz\none\na\n"},
		{`diff a b; diff -u a a`, "2c2\n< two\n---\n> 2\n"},
		{`dd if=a of=c bs=4 count=1 status=none; cat c`, "one\n"},
		{`env -i A=1 env; id -u ann; id -un 0`, "A=1\n1000\nroot\n"},
		{`du -s d; truncate -s 5 c; stat -c %s c; od -c d/x.txt | head -n 1`, "8\td\n5\n0000000   h   e   l   l   o  \\n\n"},
		{`realpath d/../a; which ls; mktemp -d /tmp/qXXXXXX | cut -c1-6`, "/work/a\n/bin/ls\n/tmp/q\n"},
		{`nosuch`, "sh: nosuch: not found\n[127]"},
		{`./d`, "sh: ./d: Is a directory\n[126]"},
		{`cat <missing`, "sh: can't open missing: No such file or directory\n[001]"},
		{`cd /nope`, "sh: cd: can't cd to /nope: No such file or directory\n[001]"},
		{`echo one | tee c | cat - c; cd d; pwd; echo *`, "one\none\n/work/d\nx.txt\n"},
		{`ls -Q`, "ls: invalid option -- 'Q'\n[002]"},
	} {
		t.Run(c.script, func(t *testing.T) {
			if diff := cmp.Diff(c.want, run(machine(t), c.script)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnknownProgramIs127(t *testing.T) {
	env := machine(t)
	env.Stderr = io.Discard
	if code := userland.Run(context.Background(), env, []string{"nope"}); code != 127 {
		t.Errorf("exit code %d, want 127", code)
	}
}

// base unpacks the layer of learn/base, made of this test's binary.
func base(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		lacks(t, "chroot needs root on Linux")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	if err := errors.Join(userland.BaseLayer(&first, userland.BaseOptions{Binary: self}), userland.BaseLayer(&second, userland.BaseOptions{Binary: self})); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same binary gave two different layers")
	}
	dir := t.TempDir()
	for r := tar.NewReader(&first); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.Mkdir(name, h.FileInfo().Mode())
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, name)
		default:
			var data []byte
			if data, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(name, data, h.FileInfo().Mode())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestShellWithProcesses(t *testing.T) {
	root := base(t)
	// A stand-in for what a container mounts: the shell asks /proc which files are its own programs.
	err := errors.Join(os.WriteFile(filepath.Join(root, "dev/null"), nil, 0o666), os.Mkdir(filepath.Join(root, "proc/self"), 0o755),
		os.Symlink("/bin/learn", filepath.Join(root, "proc/self/exe")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ script, want string }{
		{`exit 7`, "[007]"},
		{`sleep 30 & kill $!; wait $!; echo $?`, "143\n"},
		{`f() { echo "f $1 $x"; }; x=1; f a & wait; echo done`, "f a 1\ndone\n"},
		{`trap 'echo got; exit 5' TERM; kill -TERM $$; sleep 0.1; echo not here`, "got\n[005]"},
		{`trap 'echo bye' EXIT; echo hi`, "hi\nbye\n"},
		{`trap 'echo usr' USR1; kill -USR1 $$; sleep 0.1; echo after`, "usr\nafter\n"},
		{`sh -c 'kill -9 $$'; echo $?`, "137\n"},
		{`sleep 0.05 & sleep 0.05 & wait; jobs; echo ok`, "ok\n"},
		{`exec echo replaced; echo not here`, "replaced\n"},
		{`printf 'echo script $1\n' >/tmp/s; chmod +x /tmp/s; /tmp/s arg`, "script arg\n"},
		{`set -eu; set -o pipefail; false | true; echo not here`, "[001]"},
		{`timeout 0.1 sleep 5; echo $?`, "124\n"},
		{`yes | head -n 1`, "y\n"},
		{"x=$(cat <<X\na $((1+1))\nX\n); echo \"$x\"", "a 2\n"},
	} {
		t.Run(c.script, func(t *testing.T) {
			out, err := exec.Command("chroot", root, "/bin/sh", "-c", c.script).CombinedOutput()
			got := string(out)
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				got += code(exit.ExitCode())
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// lacks skips a test for what the machine does not have or allow; under CI, where it must, that is a failure.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
