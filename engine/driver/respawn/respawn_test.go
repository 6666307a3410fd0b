package respawn

import (
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	for _, tt := range []struct{ last, ran, want time.Duration }{
		{0, 0, First},
		{First, time.Second, 2 * First},
		{2 * First, 9 * time.Second, 4 * First},
		{40 * time.Second, time.Second, Most},
		{Most, 0, Most},
		{Most, Steady, First},
		{0, time.Hour, First},
		{-time.Second, 0, First},
	} {
		if got := Next(tt.last, tt.ran); got != tt.want {
			t.Errorf("Next(%v, %v) = %v, want %v", tt.last, tt.ran, got, tt.want)
		}
	}
}
