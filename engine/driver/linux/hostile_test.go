//go:build linux

package linux

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// What has gone wrong in engines like this one, and the tests that would see it here:
//
//	CVE-2019-5736           binary overwritten through /proc/N/exe      TestEngineBinaryCannotBeOverwritten, TestEngineBinaryKeepsItsHash
//	CVE-2024-21626          working folder in a leaked descriptor       TestWorkingFolderStaysInside, TestNamesExecCannotUseLeakedDescriptors,
//	                                                                    TestOnlyStandardDescriptors, build.TestWorkdirOfADescriptor
//	CVE-2021-30465          mount target swapped for a link             TestMountRaces, TestMountPointSwappedForALink, TestMountTargetThroughLinks
//	CVE-2019-19921 ...      /proc or /sys is a link, or covered         TestLinkInPlaceOfProcIsRefused, TestHostileVolumesOverKernelFiles
//	CVE-2025-31133          /dev/null swapped under a mask              TestHostileDevNull
//	CVE-2025-52565          console swapped                             TestHostileConsole
//	CVE-2025-52881          writes to /proc redirected                  TestHostileSettingsStayBelowSys, TestHostileVolumesOverKernelFiles
//	CVE-2026-41579          /dev is a link                              TestLinkInPlaceOfProcIsRefused
//	CVE-2023-25809, 2022-0492  control groups writable                  TestMaskedControlGroupsAreNoWayOut
//	CVE-2022-29162 ...      inheritable capabilities                    TestCapabilitiesAreDockers, TestHostileInheritable
//	CVE-2024-45310          files made through a racing parent          TestMountRaces
//	CVE-2021-43784          lengths that overflow                       TestHostileManyMounts
//	CVE-2020-15257          supervisor on an abstract socket            TestHostileNoAbstractSockets
//	CVE-2026-31431          AF_ALG and the like                         TestSeccompRefuses, TestDefaultFilterIsTheProfile
//	CVE-2018-10892 ...      kernel files that tell of the host          TestMaskedAndReadOnlyPaths, TestMaskedPathsStayMasked
//	CVE-2022-36109 ...      supplementary groups                        TestSupplementaryGroups, TestHostileGroupsCount, passwd.TestLookUp
//	CVE-2024-40635          ids that wrap around                        TestUserIDsDoNotWrap, passwd.TestLookUp
//	CVE-2026-46680          a number taken for a name                   passwd.TestLookUp
//	CVE-2026-47262          huge account files                          passwd.TestHugeGroupFile
//	CVE-2024-9676           account file is a link or a FIFO            drivertest "trees" (what is no regular file is not opened)
//	CVE-2021-41091 ...      data root open to everybody                 TestHostileDataRoot
//	CVE-2025-23266          the image's variables reach the engine      TestHostileEnvironment
//	(terminal escapes in names and logs: format.TestClean, narrate's and build's tests; volumes and cp have tests of their own)

// A volume on the kernel's own files would have masks and settings go to files of somebody else.
func TestHostileVolumesOverKernelFiles(t *testing.T) {
	l := newLab(t)
	canary := t.TempDir()
	for _, target := range []string{"/proc", "/proc/sys", "/proc/self/attr", "/x/../proc/sys/kernel"} {
		spec := l.spec(t, "true")
		spec.Mounts = []driver.Mount{{Type: "bind", Source: canary, Target: target}}
		spec.Sysctls = map[string]string{"kernel.msgmax": "7000"}
		if err := l.create(t, spec).Start(t.Context(), streamsTo(t)); err == nil || !strings.Contains(err.Error(), "/proc") {
			t.Errorf("%s: %v", target, err)
		}
	}
	if found := below(t, canary); len(found) != 0 {
		t.Errorf("the folder outside has %q", found)
	}
}

// Names of settings can't lead out of /proc/sys, whoever made them.
func TestHostileSettingsStayBelowSys(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"..sysrq-trigger", "net/../../sysrq-trigger", "../self/oom_score_adj", "kernel/../../self/oom_score_adj", "/proc/self/comm"} {
		spec := l.spec(t, "true")
		spec.Sysctls = map[string]string{strings.ReplaceAll(name, "/", "."): "1", name: "1"}
		if err := l.create(t, spec).Start(t.Context(), streamsTo(t)); err == nil || !strings.Contains(err.Error(), "set ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An image, and somebody who has the same volume that is on /dev, put a link to a kernel file in the place of /dev/null: what is masked must
// be covered by the true device, and what must not be written stays so.
func TestHostileDevNull(t *testing.T) {
	l := newLab(t)
	must(t, os.MkdirAll(l.lower+"/dev", 0o755))
	must(t, os.Symlink("/proc/sys/kernel/core_pattern", l.lower+"/dev/null"))
	must(t, l.MakeFolder(t.Context(), "shared", 0, 0, 0o755))
	shared, err := l.FolderPath("shared")
	must(t, err)
	must(t, os.Symlink("a", shared+"/null"))
	must(t, os.WriteFile(shared+"/a", nil, 0o666))
	must(t, os.Symlink("/proc/sys/kernel/core_pattern", shared+"/b"))
	before, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	must(t, err)
	stop := race(t, shared)
	defer stop()
	const check = `for p in kcore keys timer_list interrupts; do [ ! -e /proc/$p ] || [ "$(stat -c %t:%T /proc/$p)" = 1:3 ] || echo open $p; done
	(echo x >/proc/sys/kernel/core_pattern) 2>/dev/null && echo written; (echo x >/proc/keys) 2>/dev/null; echo end`
	deadline := time.Now().Add(2 * time.Second)
	for n := 0; n < 40 && (n < 3 || time.Now().Before(deadline)); n++ {
		spec := l.spec(t, "sh", "-c", check)
		if n%2 == 1 {
			spec.Mounts = []driver.Mount{{Type: "folder", Source: "shared", Target: "/dev"}}
		}
		tk := l.create(t, spec)
		var out syncBuffer
		if tk.Start(t.Context(), streamsWith(&out)) == nil {
			_, err := tk.Wait(t.Context())
			must(t, err)
			if got := out.String(); n%2 == 0 && got != "end\n" || strings.Contains(got, "open ") || strings.Contains(got, "written") {
				t.Fatalf("start %d: %s", n, got)
			}
		}
		must(t, tk.Delete(context.Background()))
	}
	if after, err := os.ReadFile("/proc/sys/kernel/core_pattern"); err != nil || string(after) != string(before) {
		t.Errorf("core_pattern is %q, was %q (%v)", after, before, err)
	}
}

// The console is the container's own terminal, whatever an image has in its place.
func TestHostileConsole(t *testing.T) {
	l := newLab(t)
	must(t, os.MkdirAll(l.lower+"/dev/pts", 0o755))
	must(t, os.Symlink("/proc/sysrq-trigger", l.lower+"/dev/console"))
	must(t, os.Symlink("/proc/sysrq-trigger", l.lower+"/dev/pts/0"))
	spec := l.spec(t, "sh", "-c", "grep ' /dev/console ' /proc/self/mountinfo; stat -c %t:%T /dev/console")
	spec.Process.Terminal = true
	out, _ := l.run(t, spec)
	if !strings.Contains(out, " /0 /dev/console ") || !strings.Contains(out, "devpts") || !strings.Contains(out, "88:0") {
		t.Errorf("console: %q", out)
	}
}

// No process hands powers down to what it executes: neither the first nor a further one, as root or not.
func TestHostileInheritable(t *testing.T) {
	l := newLab(t)
	tk := l.create(t, l.spec(t, "sleep", "1000"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	for _, p := range []driver.Process{{}, {Privileged: true}, {UID: 1, GID: 1}, {UID: 1, GID: 1, Privileged: true}} {
		if p.UID != 0 && l.mode.SquashOwners {
			continue
		}
		p.Args, p.Env = []string{"grep", "-E", "^Cap(Inh|Amb)", "/proc/self/status"}, []string{"PATH=/bin"}
		var out syncBuffer
		_, err := tk.(driver.Execer).Exec(t.Context(), p, streamsWith(&out))
		must(t, err)
		if out.String() != "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n" {
			t.Errorf("%+v: %s", p, out.String())
		}
	}
}

// Mounts whose description has more than 64 KiB arrive whole.
func TestHostileManyMounts(t *testing.T) {
	l := newLab(t)
	n := 300
	if l.mode.Rootless {
		n = 30
	}
	spec := l.spec(t, "sh", "-c", "grep -c "+strings.Repeat("x", 100)+" /proc/self/mountinfo")
	for i := range n {
		target := fmt.Sprintf("/m/%d%s/%s", i, strings.Repeat("x", 120), strings.Repeat("y", 120))
		spec.Mounts = append(spec.Mounts, driver.Mount{Type: "tmpfs", Target: target, Options: []string{"size=4k"}})
	}
	if out, exit := l.run(t, spec); out != strconv.Itoa(n)+"\n" {
		t.Errorf("%q, %+v", out, exit)
	}
}

// With the host's network an abstract socket of the engine could be reached from inside: there is none.
func TestHostileNoAbstractSockets(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "sh", "-c", "cat /proc/net/unix")
	spec.Network = driver.NetworkHost
	out, _ := l.run(t, spec)
	if strings.Contains(out, "@learn") || strings.Contains(out, "@"+l.home.Root()) || strings.Contains(out, "@"+spec.ID) {
		t.Errorf("abstract sockets: %s", out)
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 8 && strings.HasPrefix(f[7], "@") && strings.Contains(f[7], "shim") {
			t.Errorf("abstract socket: %s", line)
		}
	}
}

// Who is in a group has no more rights than the group, and who has it as a further one no fewer.
func TestHostileGroupsCount(t *testing.T) {
	l := newLab(t)
	if l.mode.SquashOwners {
		t.Skip("needs more than one user id (a range in /etc/subuid)")
	}
	must(t, os.WriteFile(l.lower+"/closed", []byte("secret"), 0o604))
	must(t, os.Chown(l.lower+"/closed", 0, 77))
	must(t, os.Chmod(l.lower+"/closed", 0o604))
	for _, groups := range [][]uint32{{6, 77}, {6}} {
		spec := l.spec(t, "cat", "/closed")
		spec.Process.UID, spec.Process.GID, spec.Process.Groups = 5, 6, groups
		if _, exit := l.run(t, spec); (exit.Code == 0) != !slices.Contains(groups, 77) {
			t.Errorf("groups %v: code %d", groups, exit.Code)
		}
	}
}

// Nobody but the owner enters the data root: a set-user-ID program in a layer is out of reach.
func TestHostileDataRoot(t *testing.T) {
	l := newLab(t)
	if l.mode.Rootless {
		t.Skip("needs the machine's root, to become somebody else")
	}
	program := l.lower + "/bin/suid"
	busybox, err := os.ReadFile("/usr/bin/busybox")
	must(t, err)
	must(t, os.WriteFile(program, busybox, 0o755))
	must(t, os.Chmod(program, 0o4755))
	for dir := filepath.Dir(l.home.Root()); dir != "/"; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err == nil && st.Mode().Perm()&0o005 == 0 && strings.HasPrefix(dir, os.TempDir()) {
			must(t, os.Chmod(dir, st.Mode().Perm()|0o055)) // the test's own folders are not what is to keep it out
		}
	}
	tk := l.create(t, l.spec(t, "sleep", "1000"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	for _, path := range []string{program, l.home.Containers() + "/" + tkID(tk) + "/shim.sock", l.home.Snapshots()} {
		cmd := exec.Command("/usr/bin/busybox", "stat", path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "Permission denied") {
			t.Errorf("nobody reaches %s: %v %s", path, err, out)
		}
	}
}

// What an image or a user sets for a container's programs never becomes part of the engine's own processes.
func TestHostileEnvironment(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "sleep", "1000")
	spec.Process.Env = append(spec.Process.Env, "LD_PRELOAD=/evil.so", "LD_LIBRARY_PATH=/evil", "GODEBUG=evil=1", shim.StageVariable+"=shim")
	tk := l.create(t, spec)
	must(t, tk.Start(t.Context(), driver.Streams{}))
	rec, ok := shim.ReadRecord(spec.Dir)
	if !ok {
		t.Fatal("no record")
	}
	env, err := os.ReadFile("/proc/" + strconv.Itoa(rec.ShimPid) + "/environ")
	must(t, err)
	if strings.Contains(string(env), "evil") {
		t.Errorf("the supervisor has %q", env)
	}
	inside, err := os.ReadFile("/proc/" + strconv.Itoa(rec.Pid) + "/environ")
	must(t, err)
	if !strings.Contains(string(inside), "LD_PRELOAD=/evil.so\x00") {
		t.Errorf("the program has %q", inside)
	}
}

// Profiles with arguments and errors of their own are what the kernel does.
func TestProfileIsLoaded(t *testing.T) {
	l := newLab(t)
	const text = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
		{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28},
		{"names":["kill"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":10,"op":"SCMP_CMP_EQ"}]}]}`
	for _, noNew := range []bool{false, true} {
		spec := l.spec(t, "sh", "-c", "exec 2>&1; busybox mkdir /x; kill -USR1 $$; kill -CONT $$; echo $?")
		spec.Process.Seccomp, spec.Process.NoNewPrivs = text, noNew
		out, _ := l.run(t, spec)
		if !strings.Contains(out, "No space left on device") || !strings.Contains(out, "Operation not permitted") || !strings.Contains(out, "\n0\n") {
			t.Errorf("no new privileges %v: %q", noNew, out)
		}
	}
}

func TestDeviceRulesInBothVersions(t *testing.T) {
	l := newLab(t)
	if l.mode.Rootless {
		t.Skip("needs the machine's root: a rootless engine has no control group for devices")
	}
	spec := l.spec(t, "sh", "-c", `exec 2>&1; mknod /full c 1 7; echo x >/full; mknod /mem c 1 1 && (cat /mem >/dev/null) 2>/dev/null || echo closed
	head -c 1 /dev/ro | wc -c; (echo x >/dev/ro) 2>/dev/null || echo read only; head -c 1 /dev/zero | wc -c`)
	spec.Devices = []driver.Device{{Source: "/dev/urandom", Target: "/dev/ro", Access: "r"}}
	spec.DeviceRules = []string{"c 10:* rwm"}
	out, _ := l.run(t, spec)
	// The device behind /dev/ro is among those that every container may write to; the rest shows the group.
	if !strings.Contains(out, "No space left") || !strings.Contains(out, "closed\n1\n") || !strings.HasSuffix(out, "1\n") {
		t.Errorf("%q", out)
	}
}

// A record of a namespace is held against the process that it names.
func TestJoinNeedsTheRecordedProcess(t *testing.T) {
	l := newLab(t)
	other := l.create(t, l.spec(t, "sleep", "1000"))
	must(t, other.Start(t.Context(), driver.Streams{}))
	dir := other.(*task).dir
	data, err := os.ReadFile(filepath.Join(dir, shim.TaskFile))
	must(t, err)
	rec, _ := shim.ReadRecord(dir)
	forged := strings.Replace(string(data), fmt.Sprintf(`"start_time":%d`, rec.StartTime), fmt.Sprintf(`"start_time":%d`, rec.StartTime+1), 1)
	must(t, os.WriteFile(filepath.Join(dir, shim.TaskFile), []byte(forged), 0o600))
	spec := l.spec(t, "true")
	spec.Network = driver.Of(tkID(other))
	if err := l.create(t, spec).Start(t.Context(), streamsTo(t)); err == nil || !strings.Contains(err.Error(), "is not running") {
		t.Errorf("%v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, shim.TaskFile), data, 0o600))
}
