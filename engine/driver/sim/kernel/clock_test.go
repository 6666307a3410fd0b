package kernel

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

func TestSleepCostsNothing(t *testing.T) {
	for _, frozen := range []bool{true, false} {
		l := newLab(t, frozen, driver.Limits{})
		before, real := l.clock.Now(), time.Now()
		if _, exit := l.script("sleep 30"); exit.Code != 0 {
			t.Errorf("exit %+v", exit)
		}
		if d := l.clock.Now().Sub(before); d < 30*time.Second || d > 31*time.Second {
			t.Errorf("frozen %v: %v passed", frozen, d)
		}
		if d := time.Since(real); d > 500*time.Millisecond {
			t.Errorf("frozen %v: it took %v", frozen, d)
		}
	}
}

func TestSleepersEndInOrder(t *testing.T) {
	out, _ := newLab(t, true, driver.Limits{}).script("(sleep 3; echo c) & (sleep 1; echo a) & (sleep 2; echo b) & wait")
	if out != "a\nb\nc\n" {
		t.Errorf("%q", out)
	}
}

func TestNoSkipWithoutHurry(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	r := l.start("sleep", "3000")
	time.Sleep(20 * time.Millisecond)
	if !l.clock.Now().Equal(epoch) {
		t.Errorf("the clock went on to %v", l.clock.Now())
	}
	done := l.box.Hurry()
	r.wait()
	done()
	if d := l.clock.Now().Sub(epoch); d != 3000*time.Second {
		t.Errorf("%v passed", d)
	}
}

func TestRealTimeSuffices(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	r := l.start("sleep", "0.05")
	if r.wait().Code != 0 || l.clock.Now().Sub(epoch) != 50*time.Millisecond {
		t.Errorf("at %v", l.clock.Now())
	}
}

func TestHurryIsBounded(t *testing.T) {
	c := NewClock(func() time.Time { return epoch }, true, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := c.Sleep(ctx, 2*time.Hour); err == nil {
		t.Error("two hours were skipped")
	}
	defer c.Hurry()()
	n := 0
	stop := make(chan struct{})
	var again func()
	again = func() {
		if n++; n > hurryJumps+50 {
			close(stop)
			return
		}
		c.AfterFunc(time.Second, again)
	}
	again()
	select {
	case <-stop:
		t.Error("the clock races")
	case <-time.After(500 * time.Millisecond):
	}
}

func TestFrozenRunsRepeat(t *testing.T) {
	const script = `for i in 1 2 3; do (sleep 0.$i; date +%s.%N; echo $i) & done; sleep 5; date +%s.%N; seq 3 | while read x; do sleep $x; echo $x; done; date +%T; wait`
	want := ""
	for i := range 20 {
		l := newLab(t, true, driver.Limits{})
		out, exit := l.script(script)
		got := fmt.Sprintln(out, exit.At)
		if i == 0 {
			want = got
		}
		if got != want {
			t.Fatalf("run %d: %s\nbefore: %s", i, got, want)
		}
	}
}

func TestJumpsAreTold(t *testing.T) {
	var told atomic.Int64
	c := NewClock(time.Now, false, func(d time.Duration) { told.Add(int64(d)) })
	if err := c.Sleep(context.Background(), 20*time.Minute); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond)
	if d := time.Duration(told.Load()); d != c.Skew() || d < 19*time.Minute {
		t.Errorf("told %v, skew %v", d, c.Skew())
	}
}

func TestSkewOfOthersWakes(t *testing.T) {
	c := NewClock(time.Now, false, nil)
	over := make(chan struct{})
	c.AfterFunc(10*time.Minute, func() { close(over) })
	c.SetSkew(11 * time.Minute)
	c.SetSkew(time.Minute)
	select {
	case <-over:
	case <-time.After(time.Second):
		t.Error("the timer did not go off")
	}
	if c.Skew() != 11*time.Minute {
		t.Errorf("the clock went back to %v", c.Skew())
	}
}

func TestTick(t *testing.T) {
	c := NewClock(func() time.Time { return epoch }, true, nil)
	c.Tick(time.Microsecond)
	c.Tick(-time.Hour)
	if d := c.Now().Sub(epoch); d != time.Microsecond {
		t.Errorf("%v passed", d)
	}
}
