package sim

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// story is what events tell, in short: kind and the attribute that matters.
func story(c *trace.Collect) []string {
	var list []string
	for _, e := range c.Events() {
		line := e.Kind
		for _, key := range []string{"namespace", "target", "hostname", "value", "path", "argv", "exit_code", "signal"} {
			if key == "path" && strings.HasPrefix(e.Kind, "cgroup.") {
				continue
			}
			if v := e.Attr(key); !v.Zero() && v.String() != "" {
				line += " " + v.String()
			}
		}
		list = append(list, line)
	}
	return list
}

// The order is the linux driver's.
func TestEventsOfARun(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		ctx, events := traced(limited(t))
		spec := l.spec(t, "sh", "-c", "echo hi > /a; rm /bin/ls; exit 3")
		spec.Process.Cwd = "/foo"
		spec.Limits = driver.Limits{MemoryBytes: 64 << 20, Pids: 50, CPUQuota: 50 * time.Millisecond}
		tk := l.create(t, spec)
		must(t, tk.Start(ctx, driver.Streams{Stdout: &buffer{}}))
		_, err := tk.Wait(ctx)
		must(t, err)
		got := story(events)
		want := []string{"cgroup.create", "cgroup.write 67108864", "cgroup.write 50", "cgroup.write 50000 100000", "proc.clone",
			"ns.create mnt", "ns.create pid", "ns.create uts", "ns.create ipc", "ns.create net", "ns.create cgroup", "cgroup.join", "net.loopback", "hostname.set lab", "mount.private"}
		for _, target := range mountTargets(true) {
			want = append(want, "mount "+target)
			if target == "/proc" {
				want = append(want, "sysctl 0", "sysctl 0 2147483647")
			}
		}
		want = append(want, "pivot_root", "caps.drop", "proc.user", "seccomp.load", "proc.exec "+strings.Join(spec.Process.Args, " "),
			"cow.create /foo", "cow.create /a", "cow.whiteout /bin/ls", "proc.exit 3", "cgroup.remove")
		for i := range got {
			got[i] = strings.NewReplacer("[", "", "]", "", `"`, "", ",", " ").Replace(got[i])
			got[i] = strings.Join(strings.Fields(got[i]), " ")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		checkVocabulary(t, events)
	})
}

// What a container sees of its own namespaces and of its root is what the events say.
func TestProcAgreesWithEvents(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		ctx, events := traced(limited(t))
		out, exit := l.runIn(t, ctx, l.spec(t, "sh", "-c", "cd /proc/self/ns; for n in mnt pid uts ipc net cgroup; do readlink $n; done; head -n 1 /proc/mounts"))
		if exit.Code != 0 {
			t.Fatalf("code %d", exit.Code)
		}
		var want strings.Builder
		for _, e := range events.Events() {
			switch {
			case e.Kind == vocab.NamespaceCreate:
				fmt.Fprintf(&want, "%s:[%s]\n", e.Attr("namespace").String(), e.Attr("inode").String())
			case e.Kind == vocab.MountDo && e.Attr("target").String() == "/":
				fmt.Fprintf(&want, "overlay / overlay rw,nodev,relatime,%s 0 0\n", e.Attr("options").String())
			}
		}
		if diff := cmp.Diff(strings.ReplaceAll(want.String(), `"`, ""), out); diff != "" {
			t.Errorf("(-events +container):\n%s", diff)
		}
	})
}

// mountTargets is what every container has mounted, in order.
func mountTargets(limited bool) []string {
	targets := []string{"/", standard.Proc().Target, standard.Dev().Target}
	for _, d := range standard.Devices() {
		targets = append(targets, "/dev/"+d.Name)
	}
	for _, m := range standard.UnderDev(0) {
		targets = append(targets, m.Target)
	}
	targets = append(targets, standard.Sys(false).Target)
	if limited {
		targets = append(targets, standard.Cgroup().Target)
	}
	targets = append(targets, "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
	return append(targets, "/proc/acpi", "/proc/interrupts", "/proc/keys", "/proc/timer_list", "/sys/firmware",
		"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys")
}

// checkVocabulary checks that each event has exactly the attributes that its kind declares.
func checkVocabulary(t *testing.T, c *trace.Collect) {
	t.Helper()
	declared := map[string][]string{}
	for _, k := range vocab.Kinds {
		for _, a := range k.Attrs {
			declared[k.Name] = append(declared[k.Name], a.Key+" "+a.Type)
		}
	}
	for _, e := range c.Events() {
		var got []string
		for _, a := range e.Attrs {
			got = append(got, a.Key+" "+a.Value.Type())
		}
		if diff := cmp.Diff(declared[e.Kind], got); diff != "" {
			t.Errorf("%s: %s", e.Kind, diff)
		}
	}
}

// Each event is handed out once, at the call that linux's driver hands it out at.
func TestWhenEventsAreHandedOut(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		tk := l.create(t, l.spec(t, "sh", "-c", "trap 'exit 5' TERM; while true; do sleep 1; done"))
		last := func(do func(ctx context.Context) error) []string {
			t.Helper()
			ctx, events := traced(limited(t))
			must(t, do(ctx))
			list := kinds(events)
			if len(list) > 3 {
				list = list[len(list)-1:]
			}
			return list
		}
		got := [][]string{
			last(func(ctx context.Context) error { return tk.Start(ctx, driver.Streams{}) }),
			last(func(ctx context.Context) error {
				_, err := tk.Exec(ctx, driver.Process{Args: []string{"mkdir", "/x"}, Env: []string{"PATH=/bin"}}, driver.Streams{})
				return err
			}),
			last(tk.Events),
			last(func(ctx context.Context) error {
				eventually(t, "trap", func() bool { // it is set when the first sleep runs
					list, err := tk.Processes(t.Context())
					must(t, err)
					return len(list) == 2
				})
				return tk.Signal(ctx, 15)
			}),
			last(func(ctx context.Context) error { _, err := tk.Wait(ctx); return err }),
			last(tk.Events),
			last(tk.Delete),
		}
		want := [][]string{{"proc.exec"}, {"proc.exec", "cow.create", "proc.exit"}, nil, {"proc.signal"}, {"proc.exit"}, nil, nil}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// A container that was started without is recorded from the first traced command on.
func TestTraceBeginsLater(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		tk := l.background(t, "sleep 1000")
		ctx, events := traced(limited(t))
		_, err := tk.Exec(ctx, driver.Process{Args: []string{"mkdir", "/x"}, Env: []string{"PATH=/bin"}}, driver.Streams{})
		must(t, err)
		if diff := cmp.Diff([]string{"proc.exec", "cow.create", "proc.exit"}, kinds(events)); diff != "" {
			t.Error(diff)
		}
	})
}

// A start that fails tells how far it came, and leaves nothing.
func TestEventsOfAFailedStart(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		ctx, events := traced(limited(t))
		spec := l.spec(t, "nope")
		spec.Limits.Pids = 5
		if err := l.create(t, spec).Start(ctx, driver.Streams{}); err == nil {
			t.Fatal("it started")
		}
		list := kinds(events)
		if n := len(list); n < 3 || list[0] != vocab.CgroupCreate || list[n-1] != vocab.CgroupRemove || list[n-2] != vocab.SeccompLoad {
			t.Errorf("events = %v", list)
		}
	})
}

// On a frozen clock a container tells the same at the same times, however often it is run.
func TestRunsRepeat(t *testing.T) {
	var first []string
	for i := range 10 {
		l := newLab(t, true)
		ctx, events := traced(limited(t))
		begin := l.Now()
		out, exit := l.runIn(t, ctx, l.spec(t, "sh", "-c", "for i in 1 2 3; do sleep $i; echo $i > /f$i; done & sleep 10; date +%s > /d; wait; rm /f2"))
		got := append(story(events), out, exit.At.Sub(begin).String())
		if i == 0 {
			first = got
			continue
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Fatalf("run %d differs: %s", i, diff)
		}
	}
}
