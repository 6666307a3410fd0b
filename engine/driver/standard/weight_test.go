package standard

import "testing"

func TestCPUWeight(t *testing.T) {
	for shares, want := range map[int64]uint64{0: 100, 2: 1, 1: 1, 1024: 100, 262144: 10000, 1 << 20: 10000, 512: 59, 2048: 174} {
		if got := CPUWeight(shares); got != want {
			t.Errorf("CPUWeight(%d) = %d, want %d", shares, got, want)
		}
	}
	last := uint64(0)
	for s := int64(1); s < 300000; s += 7 {
		w := CPUWeight(s)
		if w < last || w < 1 || w > 10000 {
			t.Fatalf("CPUWeight(%d) = %d after %d: it must not fall", s, w, last)
		}
		last = w
	}
}
