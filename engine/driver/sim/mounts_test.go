package sim

import (
	"archive/tar"
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/standard"
)

func TestMounts(t *testing.T) {
	l := newLab(t, true)
	source := t.TempDir()
	must(t, os.WriteFile(filepath.Join(source, "f"), []byte("from host\n"), 0o644))
	for name, tc := range map[string]struct {
		mounts []driver.Mount
		script string
		out    string
		code   int
	}{
		"bind": {[]driver.Mount{{Type: "bind", Source: source, Target: "/m/n"}},
			"cat /m/n/f; echo back > /m/n/g", "from host\n", 0},
		"read-only bind": {[]driver.Mount{{Type: "bind", Source: source, Target: "/m", ReadOnly: true}},
			"exec 2>&1; cat /m/f; echo x > /m/h", "from host\nsh: can't create /m/h: Read-only file system\n", 1},
		"bind of a file": {[]driver.Mount{{Type: "bind", Source: filepath.Join(source, "f"), Target: "/etc/f"}},
			"cat /etc/f", "from host\n", 0},
		"tmpfs": {[]driver.Mount{{Type: "tmpfs", Target: "/t", Options: []string{"size=64k", "mode=0700"}}},
			"stat -c %a /t; head -c 70000 /dev/zero > /t/x 2>/dev/null || echo full", "700\nfull\n", 0},
		"one on the other": {[]driver.Mount{{Type: "tmpfs", Target: "/t"}, {Type: "bind", Source: source, Target: "/t/in"}},
			"ls /t; cat /t/in/f", "in\nfrom host\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			spec := l.spec(t, "sh", "-c", tc.script)
			spec.Mounts = tc.mounts
			if out, exit := l.run(t, spec); out != tc.out || exit.Code != tc.code {
				t.Errorf("output = %q, exit %d; want %q, %d", out, exit.Code, tc.out, tc.code)
			}
		})
	}
	if data, err := os.ReadFile(filepath.Join(source, "g")); err != nil || string(data) != "back\n" {
		t.Errorf("what the container wrote: %q, %v", data, err)
	}
}

func TestMountErrors(t *testing.T) {
	l := newLab(t, true)
	for want, m := range map[string]driver.Mount{
		"mount /m: bind source path does not exist: /no/such":           {Type: "bind", Source: "/no/such", Target: "/m"},
		"mount /proc/sys: cannot be mounted because it is inside /proc": {Type: "bind", Source: t.TempDir(), Target: "/proc/sys"},
		"mount /t: mount tmpfs: option size=x: invalid argument":        {Type: "tmpfs", Target: "/t", Options: []string{"size=x"}},
		"mount /t: mount tmpfs: option colour=red: invalid argument":    {Type: "tmpfs", Target: "/t", Options: []string{"colour=red"}},
		"mount /etc/passwd/x: stat /etc/passwd/x: not a directory":      {Type: "tmpfs", Target: "/etc/passwd/x"},
		"mount /etc/passwd: make folder /etc/passwd: not a directory":   {Type: "tmpfs", Target: "/etc/passwd"},
	} {
		spec := l.spec(t, "true")
		spec.Mounts = []driver.Mount{m}
		tk := l.create(t, spec)
		if err := tk.Start(limited(t), driver.Streams{}); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
		if got := state(t, tk); got != driver.Ready {
			t.Errorf("state = %s, want ready", got)
		}
	}
}

// The image lacks /proc, /dev, /sys and the files of names; mounting them is no change of the container.
func TestMountPointsLeaveNoTrace(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		spec := l.spec(t, "sh", "-c", "cat /etc/hostname; test -c /dev/null && test -d /proc/1 && test -d /sys/class")
		if out, exit := l.run(t, spec); out != "lab\n" || exit.Code != 0 {
			t.Errorf("output = %q, exit %d", out, exit.Code)
		}
		changes, err := l.Snapshots.Changes(t.Context(), spec.Key)
		must(t, err)
		if len(changes) != 0 {
			t.Errorf("changes = %v", changes)
		}
	})
}

func TestReadOnlyRoot(t *testing.T) {
	l := newLab(t, true)
	spec := l.spec(t, "sh", "-c", "pwd; echo x > /f || echo refused; echo y > /dev/shm/y && cat /dev/shm/y")
	spec.ReadOnly, spec.Process.Cwd = true, "/made/here"
	out, exit := l.run(t, spec)
	out = strings.ReplaceAll(out, "sh: can't create /f: Read-only file system\n", "") // it came on the other stream, at any time
	if want := "/made/here\nrefused\ny\n"; out != want || exit.Code != 0 {
		t.Errorf("output = %q, exit %d, want %q", out, exit.Code, want)
	}
}

// A link in the place of a standard folder would lead a trusted mount astray.
func TestLinkInThePlaceOfAMount(t *testing.T) {
	l := newLab(t, true)
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "proc", Linkname: "/tmp", Mode: 0o777}))
	must(t, w.Close())
	diffID := digest.FromBytes(buf.Bytes())
	chain := digest.FromString(l.base.String() + " " + diffID.String())
	must(t, l.Layers.Apply(t.Context(), chain, l.base, diffID, &buf))
	spec := l.spec(t, "true")
	spec.Key += "x"
	must(t, l.Snapshots.Prepare(t.Context(), spec.Key, chain))
	err := l.create(t, spec).Start(limited(t), driver.Streams{})
	if err == nil || !strings.HasSuffix(err.Error(), "mount /proc: the image has a link or a file in its place; it must be a folder") {
		t.Errorf("error = %v", err)
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "1": 1, "64k": 64 << 10, "2M": 2 << 20, "1g": 1 << 30, "50%": machineMemory / 100 * 50,
		"": -1, "k": -1, "-1": -1, "1kk": -1, "99999999999g": -1} {
		if got, err := parseSize(in); err != nil && want != -1 || err == nil && got != want {
			t.Errorf("%q: %d, %v, want %d", in, got, err, want)
		}
	}
}

func FuzzParseTmpfs(f *testing.F) {
	f.Add("size=64k,mode=0755,uid=3")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseTmpfs(standard.Tmpfs("/t", false, strings.Split(text, ",")).Options)
		if err == nil && (o.size < 0 || o.mode > 0o7777 || o.uid < 0 || o.gid < 0 || o.uid > math.MaxInt32 || o.gid > math.MaxInt32) {
			t.Fatalf("%q gives %+v", text, o)
		}
	})
}

// Nothing lives on in a machine that was closed.
func TestCloseEndsWhatLivesHere(t *testing.T) {
	l := newLab(t, true)
	var tasks []*task
	for range 5 {
		tasks = append(tasks, l.background(t, "sleep 1000 & sleep 2000"))
	}
	must(t, tasks[0].Pause(t.Context()))
	must(t, l.Close())
	var got []driver.Exit
	for _, tk := range tasks {
		exit, err := tk.Wait(limited(t))
		must(t, err)
		got = append(got, driver.Exit{Code: exit.Code, Signal: exit.Signal})
		if lives(tk.dir) {
			t.Error("the container is held")
		}
	}
	want := driver.Exit{Code: 137, Signal: 9}
	if diff := cmp.Diff([]driver.Exit{want, want, want, want, want}, got); diff != "" {
		t.Error(diff)
	}
	spec := l.spec(t, "true")
	if err := l.create(t, spec).Start(limited(t), driver.Streams{}); err == nil {
		t.Error("a container was started on a closed machine")
	}
}

// Everything that a run writes lies in the home.
func TestNothingOutsideTheHome(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	l := newLab(t, false)
	tk := l.create(t, l.spec(t, "sh", "-c", "echo x > /f"))
	must(t, tk.Start(limited(t), driver.Streams{Stdout: io.Discard}))
	_, err := tk.Wait(limited(t))
	must(t, err)
	entries, err := os.ReadDir(tmp)
	must(t, err)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "Test") { // folders of t.TempDir
			t.Errorf("%s was made", e.Name())
		}
	}
}
