package kernel

import (
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

func TestMemoryLimit(t *testing.T) {
	l := newLab(t, true, driver.Limits{MemoryBytes: 32 << 20})
	_, exit := l.script("dd if=/dev/zero of=/dev/null bs=64M count=1; echo $?; exec dd if=/dev/zero of=/dev/null bs=64M count=1")
	if exit.Code != 137 || !exit.OOMKilled || l.box.OOM() == nil || l.box.OOM().Kills != 1 {
		t.Errorf("exit %+v, oom %+v", exit, l.box.OOM())
	}
	if u := l.box.Usage(); u.MemoryBytes != 0 {
		t.Errorf("%d bytes are left", u.MemoryBytes)
	}
}

func TestPidsLimit(t *testing.T) {
	l := newLab(t, true, driver.Limits{Pids: 2})
	out, _ := l.script("sleep 9 & sh -c 'echo ran'; echo code $?; wait; sh -c 'echo room again'")
	if strings.Contains(out, "ran\n") || !strings.Contains(out, "Resource temporarily unavailable\ncode 126\n") || !strings.HasSuffix(out, "room again\n") {
		t.Errorf("%q, want the second of two processes refused while the first runs, and not after it", out)
	}
}

func TestProcessorQuota(t *testing.T) {
	l := newLab(t, true, driver.Limits{CPUQuota: time.Millisecond, CPUPeriod: 100 * time.Millisecond})
	l.script("for i in 1 2 3 4 5 6 7 8 9 10; do cat /bin/learn > /dev/null; ls -l /bin > /dev/null; done")
	if used, d := l.box.Usage().CPU, l.clock.Now().Sub(epoch); used < time.Millisecond || d < 100*time.Millisecond {
		t.Errorf("%v of processor time in %v", used, d)
	}
}

func TestFreeze(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	r := l.start("sh", "-c", "sleep 1; echo awake")
	l.box.Freeze()
	done := l.box.Hurry()
	defer done()
	time.Sleep(20 * time.Millisecond)
	if !l.clock.Now().Equal(epoch) || r.output.String() != "" {
		t.Errorf("time passed for a frozen box: %v %q", l.clock.Now(), r.output)
	}
	l.box.Thaw()
	if r.wait(); r.all() != "awake\n" {
		t.Errorf("%q", r.all())
	}
}
