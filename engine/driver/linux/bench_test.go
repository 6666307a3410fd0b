//go:build linux

package linux

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

// BenchmarkStartWait is the life of a container that does nothing, without the command around it. The least of all times is
// reported too: on a busy machine it is the honest one.
func BenchmarkStartWait(b *testing.B) {
	l := newLab(b)
	ctx := context.Background()
	var started, total []time.Duration
	for b.Loop() {
		begin := time.Now()
		tk, err := l.runtime.Create(ctx, l.spec(b, "true"))
		must(b, err)
		must(b, tk.Start(ctx, driver.Streams{}))
		started = append(started, time.Since(begin))
		if _, err := tk.Wait(ctx); err != nil {
			b.Fatal(err)
		}
		must(b, tk.Delete(ctx))
		total = append(total, time.Since(begin))
	}
	b.ReportMetric(float64(slices.Min(started).Microseconds()), "us-start-min")
	b.ReportMetric(float64(slices.Min(total).Microseconds()), "us-min")
}

// BenchmarkExec is a further process in a running container.
func BenchmarkExec(b *testing.B) {
	l := newLab(b)
	ctx := context.Background()
	tk := l.create(b, l.spec(b, "sleep", "1000"))
	must(b, tk.Start(ctx, driver.Streams{}))
	var times []time.Duration
	for b.Loop() {
		begin := time.Now()
		_, err := tk.(driver.Execer).Exec(ctx, driver.Process{Args: []string{"true"}, Env: []string{"PATH=/bin"}}, driver.Streams{})
		must(b, err)
		times = append(times, time.Since(begin))
	}
	b.ReportMetric(float64(slices.Min(times).Microseconds()), "us-min")
}
