package drivertest

import (
	"fmt"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest"
)

func testEvents(t *testing.T, l *lab) {
	l.tests(t, []test{
		{"print", func(t *testing.T, l *lab) {
			sink := tracetest.NewChecker(t)
			ctx := trace.With(t.Context(), trace.New(sink))
			spec := l.staying(t, "echo x >> /etc/issue; rm /etc/hostname; mkdir /srv/a; echo up; cat")
			spec.Limits.MemoryBytes = 64 << 20
			b := l.create(t, spec)
			must(t, b.Start(ctx, b.streams(nil)))
			b.says("up\n")
			b.Task.(driver.Execer).Exec(ctx, process("touch", "/e"), driver.Streams{})
			must(t, b.Signal(ctx, sigKill))
			_, err := b.Wait(ctx)
			must(t, err)
			must(t, b.Delete(ctx))
			for _, e := range sink.Events() {
				fmt.Println(string(trace.AppendJSON(nil, e)))
			}
		}},
	})
}
