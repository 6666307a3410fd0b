package sim

import (
	"testing"

	"github.com/learn-containers/learn/engine/driver"
)

// BenchmarkRun is a whole container that does nothing, from the writable layer on.
func BenchmarkRun(b *testing.B) {
	for name, inProcess := range map[string]bool{"in-process": true, "supervisor": false} {
		b.Run(name, func(b *testing.B) {
			l := newLab(b, inProcess)
			for b.Loop() {
				tk, err := l.Runtime.Create(b.Context(), l.spec(b, "true"))
				must(b, err)
				must(b, tk.Start(b.Context(), driver.Streams{Stdout: &buffer{}}))
				_, err = tk.Wait(b.Context())
				must(b, err)
				must(b, tk.Delete(b.Context()))
			}
		})
	}
}
