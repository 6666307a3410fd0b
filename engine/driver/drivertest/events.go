package drivertest

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest"
	"github.com/learn-containers/learn/trace/vocab"
)

// traced is a context whose events are kept, and held against the vocabulary.
func traced(t *testing.T) (context.Context, *tracetest.Checker) {
	sink := tracetest.NewChecker(t)
	return trace.With(t.Context(), trace.New(sink)), sink
}

// kinds are the kinds of events in order, each run of the same once.
func kinds(events []trace.Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, e.Kind)
	}
	return slices.Compact(list)
}

// attrs are the values that events of a kind have for keys, a line each.
func attrs(events []trace.Event, kind string, keys ...string) []string {
	var lines []string
	for _, e := range events {
		if e.Kind != kind {
			continue
		}
		var values []string
		for _, key := range keys {
			values = append(values, e.Attr(key).String())
		}
		lines = append(lines, strings.Join(values, " "))
	}
	return lines
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// runTraced runs a container to its end and gives its events.
func (l *lab) runTraced(t *testing.T, spec driver.Spec) []trace.Event {
	t.Helper()
	ctx, sink := traced(t)
	b := l.create(t, spec)
	must(t, b.Start(ctx, b.streams(nil)))
	_, err := b.Wait(ctx)
	must(t, err)
	must(t, b.Delete(ctx))
	return sink.Events()
}

// cowCase is a script and the events of copy-on-write that it causes on top of lowerW, a line each.
type cowCase struct {
	rule, script string
	events       []string
}

func testEvents(t *testing.T, l *lab) {
	l.tests(t, storeEvents(), startEvents(), endEvents(), processEvents(), handOutEvents())
	each(t, cowCases(), func(c cowCase) string { return c.rule }, func(t *testing.T, c cowCase) {
		key := l.prepare(t, l.apply(t, l.Base, lowerW()...))
		layer := digest.FromBytes(archive(t, lowerW()...)).String()
		var got []string
		for _, e := range l.runTraced(t, l.specOn(t, key, script("cd /w; "+c.script)...)) {
			// What becomes of names in a folder that goes with them is told or not, as the watcher is fast or slow.
			if !strings.HasPrefix(e.Kind, "cow.") || strings.HasPrefix(e.Attr("path").Str(), "/w/d/") || e.Kind == vocab.CowWhiteout && strings.Contains(c.script, "mkdir d") {
				continue
			}
			line := e.Kind
			for _, a := range e.Attrs {
				switch value := a.Value.String(); {
				case a.Key == "layer" && value == layer, a.Key == "key" && value == key:
				default:
					line += " " + value
				}
			}
			got = append(got, line)
		}
		same(t, "events", c.events, got)
	})
}

func cowCases() []cowCase {
	return []cowCase{
		{"reading is no event", "cat f; ls d", nil},
		{"a copy-up tells what was copied and what of it changed", "echo LO > f", []string{"cow.copyup /w/f 6 6 content"}},
		{"an append", "echo more >> f", []string{"cow.copyup /w/f 6 5 content"}},
		{"a copy-up of metadata", "chmod 600 f", []string{"cow.copyup /w/f 6 0 metadata"}},
		{"a copy-up for nothing", ": >> f", []string{"cow.copyup /w/f 6 0 none"}},
		{"a new file", "echo x > n", []string{"cow.create /w/n file 2"}},
		{"a new folder", "mkdir n", []string{"cow.create /w/n dir 0"}},
		{"a new link", "ln -s x n", []string{"cow.create /w/n symlink 0"}},
		{"a new pipe", "mkfifo n", []string{"cow.create /w/n pipe 0"}},
		{"a whiteout", "rm f", []string{"cow.whiteout /w/f"}},
		{"an opaque folder", "rm -r d; mkdir d", []string{"cow.opaque /w/d"}},
		{"a folder's whiteout", "rm -r d", []string{"cow.whiteout /w/d"}},
		{"a rename of a lower file", "mv f g", []string{"cow.whiteout /w/f", "cow.create /w/g file 6"}},
	}
}

func storeEvents() []test {
	return []test{
		{"a layer that is unpacked", func(t *testing.T, l *lab) {
			data := archive(t, dir("e1"), file("e1/f", "12345"), whiteout("gone"))
			id := digest.FromBytes(data)
			ctx, sink := traced(t)
			must(t, l.Layers.Apply(ctx, id, "", id, strings.NewReader(string(data))))
			_ = l.Layers.Apply(ctx, id, "", id, strings.NewReader(string(data)))
			must(t, l.Layers.Drop(ctx, id))
			must(t, l.Layers.Drop(ctx, id))
			same(t, "kinds", []string{vocab.LayerApply, vocab.LayerReuse, vocab.LayerRemove}, kinds(sink.Events()))
			same(t, "layer.apply", []string{fmt.Sprintf("%s %s ", id, id)}, attrs(sink.Events(), vocab.LayerApply, "diff_id", "chain_id", "parent")[:1])
			same(t, "result", []string{"2 5"}, attrs(sink.Events(), vocab.LayerApply, "files", "size_bytes")[1:])
		}},
		{"a layer that is refused ends its step with the error", func(t *testing.T, l *lab) {
			data := archive(t, file("a/../../b", "x"))
			id := digest.FromBytes(data)
			ctx, sink := traced(t)
			err := l.Layers.Apply(ctx, id, "", id, strings.NewReader(string(data)))
			events := sink.Events()
			if err == nil || len(events) != 2 || events[1].Phase != trace.End || events[1].Err == "" {
				t.Errorf("%v, %+v", err, events)
			}
		}},
		{"a writable layer that is prepared and removed", func(t *testing.T, l *lab) {
			chain := l.stack(t, "", []entry{file("e2", "1")}, []entry{file("e2", "2")})
			ctx, sink := traced(t)
			key := l.key()
			must(t, l.Snapshots.Prepare(ctx, key, chain))
			must(t, l.Snapshots.Remove(ctx, key))
			must(t, l.Snapshots.Remove(ctx, key))
			same(t, "kinds", []string{vocab.SnapshotPrepare, vocab.SnapshotRemove}, kinds(sink.Events()))
			same(t, "snapshot.prepare", []string{key + " " + chain.String() + " 2"}, attrs(sink.Events(), vocab.SnapshotPrepare, "key", "chain_id", "lowers"))
		}},
	}
}

// machineOnly: whether a kind is told depends on the machine.
func machineOnly(kind string) bool {
	return kind == vocab.UserMap || strings.HasPrefix(kind, "cgroup.")
}

func startEvents() []test {
	return []test{
		{"a run, from its namespaces to its end", func(t *testing.T, l *lab) {
			events := l.runTraced(t, l.spec(t, "true"))
			same(t, "kinds", []string{vocab.ProcClone, vocab.NamespaceCreate, vocab.LoopbackUp, vocab.HostnameSet, vocab.MountPrivate, vocab.MountDo, vocab.SysctlSet,
				vocab.MountDo, vocab.PivotRoot, vocab.CapsDrop, vocab.ProcUser, vocab.SeccompLoad, vocab.ProcExec, vocab.ProcExit}, slices.DeleteFunc(kinds(events), machineOnly))
		}},
		{"the first process is cloned into namespaces of its own", func(t *testing.T, l *lab) {
			events := l.runTraced(t, l.spec(t, "true"))
			same(t, "flags", []string{"CLONE_NEWNS CLONE_NEWPID CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWNET"}, attrs(events, vocab.ProcClone, "flags"))
			spec := l.spec(t, "true")
			spec.Network = driver.NetworkHost
			events = l.runTraced(t, spec)
			same(t, "flags", []string{"CLONE_NEWNS CLONE_NEWPID CLONE_NEWUTS CLONE_NEWIPC"}, attrs(events, vocab.ProcClone, "flags"))
			if list := kinds(events); slices.Contains(list, vocab.LoopbackUp) || slices.Contains(list, vocab.SysctlSet) {
				t.Errorf("the host's network was changed: %q", list)
			}
		}},
		{"as whom the program runs, and with which walls", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Process.UID, spec.Process.GID, spec.Process.Groups, spec.Process.NoNewPrivs = 12, 13, []uint32{14, 15}, true
			spec.ReadOnly = true
			spec.Process.Rlimits = []driver.Rlimit{{Name: "nofile", Soft: 100, Hard: 200}, {Name: "core", Soft: 0, Hard: -1}}
			spec.Process.OOMScoreAdj = 500
			events := l.runTraced(t, spec)
			same(t, "limits", []string{"nofile 100 200", "core 0 unlimited"}, attrs(events, vocab.RlimitSet, "name", "soft", "hard"))
			same(t, "score", []string{"500"}, attrs(events, vocab.OOMScoreSet, "value"))
			same(t, "user", []string{"12 13 14 15"}, attrs(events, vocab.ProcUser, "uid", "gid", "groups"))
			if !slices.Contains(kinds(events), vocab.NoNewPrivs) {
				t.Error("no_new_privs is not told")
			}
			if refused := attrs(events, vocab.SeccompLoad, "refused"); !strings.Contains(refused[0], "mount") || strings.Contains(refused[0], "read") {
				t.Errorf("refused: %q", refused)
			}
			if mounts := attrs(events, vocab.MountDo, "target", "type", "options"); mounts[len(mounts)-1] != "/ remount ro" {
				t.Errorf("%q", mounts)
			}
		}},
		{"a privileged one has no filter and all powers, and still a user", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Process.Privileged = true
			list := kinds(l.runTraced(t, spec))
			if slices.Contains(list, vocab.CapsDrop) || slices.Contains(list, vocab.SeccompLoad) || !slices.Contains(list, vocab.ProcUser) {
				t.Errorf("%q", list)
			}
		}},
		{"the namespaces are these", func(t *testing.T, l *lab) {
			events := l.runTraced(t, l.spec(t, "true"))
			same(t, "namespaces", []string{"mnt", "pid", "uts", "ipc", "net", "cgroup"}, attrs(events, vocab.NamespaceCreate, "namespace"))
		}},
		{"every event of a run names its container", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			for _, e := range l.runTraced(t, spec) {
				if e.Attr("container").Str() != spec.ID {
					t.Errorf("%s names %s", e.Kind, e.Attr("container"))
				}
			}
		}},
		{"the standard mounts, then the container's, in order", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Mounts = []driver.Mount{{Type: "tmpfs", Target: "/mnt", Options: []string{"size=1m"}}, {Type: "bind", Source: bound(t), Target: "/srv", ReadOnly: true}}
			var got []string
			for _, line := range attrs(l.runTraced(t, spec), vocab.MountDo, "target", "type") {
				if target, _, _ := strings.Cut(line, " "); slices.Contains([]string{"/", "/proc", "/dev", "/dev/null", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/mnt", "/srv"}, target) {
					got = append(got, line)
				}
			}
			same(t, "mounts", []string{"/ overlay", "/proc proc", "/dev tmpfs", "/dev/null bind", "/dev/pts devpts", "/dev/shm tmpfs", "/dev/mqueue mqueue", "/sys sysfs",
				"/mnt tmpfs", "/srv bind", "/etc/hosts bind", "/etc/hostname bind", "/etc/resolv.conf bind"}, got)
		}},
	}
}

func endEvents() []test {
	return []test{
		{"limits are control groups that are made, written and removed", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Limits = driver.Limits{MemoryBytes: 64 << 20, Pids: 50}
			events := l.runTraced(t, spec)
			list := slices.DeleteFunc(kinds(events), func(kind string) bool { return kind == vocab.ProcClone }) // before or after: it may be born in its group
			if list[0] != vocab.CgroupCreate || list[1] != vocab.CgroupWrite || list[len(list)-1] != vocab.CgroupRemove {
				t.Errorf("%q", list)
			}
			values := attrs(events, vocab.CgroupWrite, "value")
			if !slices.Contains(values, "67108864") || !slices.Contains(values, "50") {
				t.Errorf("%q", values)
			}
		}},
		{"the program and its end", func(t *testing.T, l *lab) {
			events := l.runTraced(t, l.spec(t, script("exit 42")...))
			same(t, "proc.exec", []string{"/bin/sh sh -c exit 42"}, attrs(events, vocab.ProcExec, "program", "argv"))
			same(t, "proc.exit", []string{"42  false"}, attrs(events, vocab.ProcExit, "exit_code", "signal", "oom_killed"))
		}},
		{"an end by the memory limit", func(t *testing.T, l *lab) {
			spec := l.spec(t, "tail", "-c", "400000000", "/dev/zero")
			spec.Limits.MemoryBytes = 32 << 20
			same(t, "proc.exit", []string{"137 SIGKILL true"}, attrs(l.runTraced(t, spec), vocab.ProcExit, "exit_code", "signal", "oom_killed"))
		}},
		{"a program that is not there has no events of its own", func(t *testing.T, l *lab) {
			ctx, sink := traced(t)
			b := l.create(t, l.spec(t, "nonesuch"))
			if err := b.Start(ctx, b.streams(nil)); err == nil {
				t.Error("no error")
			}
			if list := kinds(sink.Events()); slices.Contains(list, vocab.ProcExec) || slices.Contains(list, vocab.ProcExit) {
				t.Errorf("%q", list)
			}
		}},
	}
}

func processEvents() []test {
	return []test{
		{"a signal, and the end that it made", func(t *testing.T, l *lab) {
			ctx, sink := traced(t)
			b := l.create(t, l.staying(t, "echo up; read x"))
			must(t, b.Start(ctx, b.streams(nil)))
			b.says("up\n")
			must(t, b.Signal(ctx, sigTerm))
			must(t, b.Signal(ctx, sigKill))
			_, err := b.Wait(ctx)
			must(t, err)
			pid := attrs(sink.Events(), vocab.ProcExec, "pid")[0]
			same(t, "proc.signal", []string{pid + " SIGTERM", pid + " SIGKILL"}, attrs(sink.Events(), vocab.ProcSignal, "pid", "signal"))
			same(t, "proc.exit", []string{pid + " 137 SIGKILL"}, attrs(sink.Events(), vocab.ProcExit, "pid", "exit_code", "signal"))
		}},
		{"a further process: its program, what it changes, its end", func(t *testing.T, l *lab) {
			ctx, sink := traced(t)
			b := l.create(t, l.staying(t, "echo up; read x"))
			must(t, b.Start(ctx, b.streams(nil)))
			b.says("up\n")
			before := len(sink.Events())
			_, err := b.Task.(driver.Execer).Exec(ctx, process(script("echo x > /made; exit 3")...), driver.Streams{})
			must(t, err)
			events := sink.Events()[before:]
			same(t, "kinds", []string{vocab.ProcExec, vocab.CowCreate, vocab.ProcExit}, kinds(events))
			same(t, "proc.exit", []string{"3"}, attrs(events, vocab.ProcExit, "exit_code"))
			same(t, "cow.create", []string{"/made file 2"}, attrs(events, vocab.CowCreate, "path", "type", "size_bytes"))
		}},
		{"a lower file: copied up, written, deleted, made anew, deleted; a new one: made, written, gone", func(t *testing.T, l *lab) {
			ctx, sink := traced(t)
			b := l.up(t)
			for _, text := range []string{"echo 1 >> /etc/issue", "echo 2 >> /etc/issue", "rm /etc/issue", "echo 3 > /etc/issue", "rm /etc/issue", "echo 4 > /n", "echo 5 >> /n", "rm /n"} {
				_, err := b.Task.(driver.Execer).Exec(ctx, process(script(text)...), driver.Streams{})
				must(t, err)
			}
			var got []string
			for _, e := range sink.Events() {
				if strings.HasPrefix(e.Kind, "cow.") {
					got = append(got, e.Kind+" "+e.Attr("path").Str())
				}
			}
			same(t, "events", []string{"cow.copyup /etc/issue", "cow.write /etc/issue", "cow.whiteout /etc/issue", "cow.copyup /etc/issue", "cow.whiteout /etc/issue",
				"cow.create /n", "cow.write /n", "cow.remove /n"}, got)
		}},
	}
}

func handOutEvents() []test {
	return []test{
		{"a container that was started untraced is traced from now on", func(t *testing.T, l *lab) {
			b := l.up(t)
			ctx, sink := traced(t)
			_, err := b.Task.(driver.Execer).Exec(ctx, process(script("echo x > /made")...), driver.Streams{})
			must(t, err)
			if list := kinds(sink.Events()); len(list) == 0 || !slices.Contains(list, vocab.CowCreate) {
				t.Errorf("%q", list)
			}
		}},
		{"events that nobody took are handed out once", func(t *testing.T, l *lab) {
			ctx, sink := traced(t)
			b := l.create(t, l.staying(t, "echo up; read x; echo x > /made"))
			must(t, b.Start(ctx, b.streams(nil)))
			b.says("up\n")
			must(t, b.Signal(t.Context(), sigKill))
			_, err := b.Wait(t.Context())
			must(t, err)
			must(t, b.Task.(driver.Eventer).Events(ctx))
			if list := attrs(sink.Events(), vocab.ProcExit, "exit_code"); len(list) != 1 {
				t.Errorf("ends: %q", list)
			}
			n := len(sink.Events())
			must(t, b.Task.(driver.Eventer).Events(ctx))
			if len(sink.Events()) != n {
				t.Error("events were handed out twice")
			}
		}},
		{"upper folders are named by their path in the container", func(t *testing.T, l *lab) {
			events := l.runTraced(t, l.spec(t, script("mkdir -p /srv/a/b; echo x > /srv/a/b/c")...))
			var names []string
			for _, line := range attrs(events, vocab.CowCreate, "path") {
				names = append(names, path.Clean(line))
			}
			same(t, "paths", []string{"/srv/a", "/srv/a/b", "/srv/a/b/c"}, names)
		}},
	}
}
