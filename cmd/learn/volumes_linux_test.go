package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRaceForMountTargets swaps a folder in a shared volume for a link, over and over, while containers start that have something mounted below
// it (CVE-2021-30465): whatever comes of a start, nothing is made, mounted or changed outside.
func TestRaceForMountTargets(t *testing.T) {
	needRoot(t)
	m := newMachine(t, nativeName)
	dir, list := secrets(t)
	m.must("run", "--rm", "-v", "shared:/s", "learn/base", "sh", "-c", "mkdir -p /s/t/deep; ln -s ../../../../../../../.."+dir+" /s/link")
	at := m.must("volume", "inspect", "-f", "{{.Mountpoint}}", "shared")
	before := list()
	stop := make(chan struct{})
	swapped := make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				swapped <- n
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(at, "t"), unix.AT_FDCWD, filepath.Join(at, "link"), unix.RENAME_EXCHANGE)
			}
		}
	}()
	started := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end) || started == 0 && time.Now().Before(end.Add(patience)); {
		r := m.docker("run", "--rm", "-v", "shared:/s", "-v", "other:/s/t/deep/er", "--tmpfs", "/s/t/deep/er/tmp", "learn/base", "sh", "-c", "cat /proc/self/mountinfo; cat /s/t/secret /s/link/secret /s/t/deep/secret; true")
		if r.code == 0 {
			started++
		}
		if strings.Contains(r.out, "outside") {
			t.Errorf("the container sees the host's folder:\n%s", r.out)
		}
	}
	close(stop)
	if n := <-swapped; n == 0 || started == 0 {
		t.Errorf("%d swaps, %d starts: nothing was tried", n, started)
	}
	if after := list(); after != before {
		t.Errorf("outside changed:\n%swas\n%s", after, before)
	}
	for _, l := range m.remains() {
		t.Errorf("left behind: %s", l)
	}
}

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// TestPropagation mounts something below a folder that a container has, and has the container do the same, in a mount namespace of the test's
// own: who sees what is as the propagation says.
func TestPropagation(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("unshare"); err != nil {
		lacks(t, "needs the program unshare")
	}
	m := newMachine(t, nativeName)
	m.must("volume", "create", "warm")
	exe, err := os.Executable()
	check(t, err)
	check(t, os.Symlink(exe, filepath.Join(m.dir, "docker")))
	const script = `set -e
mkdir p; mount -t tmpfs none p; mount --make-rshared p; mkdir p/sub p/sub2 p/before; mount -t tmpfs none p/before; touch p/before/x
for how in rslave rprivate rshared; do
  ./docker run -d --name $how -v $PWD/p:/d:$how learn/base sleep 1000 >/dev/null
done
./docker run -d --name flat --mount type=bind,src=$PWD/p,dst=/d,bind-nonrecursive learn/base sleep 1000 >/dev/null
mount -t tmpfs none p/sub; touch p/sub/late
for how in rslave rprivate rshared flat; do echo $how $(./docker exec $how ls /d/before /d/sub | tr '\n' ' '); done
./docker inspect -f '{{range .Mounts}}{{.Propagation}}{{end}}' rslave flat
mount --make-rprivate p
./docker run --rm -v $PWD/p:/d:rshared learn/base true 2>&1 | grep -o 'is mounted on .*/p but it is not a shared mount' | sed 's, /.*/, ,'
./docker run --rm -v $PWD/p:/d:slave learn/base true 2>&1 | grep -o 'but it is not a shared or slave mount'
./docker rm -f rslave rprivate rshared flat >/dev/null
`
	cmd := exec.Command("unshare", "-m", "sh", "-c", script)
	cmd.Dir = m.dir
	cmd.Env = append(append(os.Environ(), "LEARN_HOME="+m.home, "LEARN_TRACE=", "LEARN_OFFLINE=1"), m.env...)
	out, err := cmd.CombinedOutput()
	const want = `rslave /d/before: x /d/sub: late
rprivate /d/before: x /d/sub:
rshared /d/before: x /d/sub: late
flat /d/before: /d/sub:
rslave
rprivate
is mounted on p but it is not a shared mount
but it is not a shared or slave mount
`
	if err != nil || string(out) != want {
		t.Errorf("%v\n%swant\n%s", err, out, want)
	}
}
