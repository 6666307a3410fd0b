package relay

import (
	"sync"
	"testing"
)

// Talks begin and end while somebody waits for the end of all, and each wait ends.
func TestTalksWhileSomebodyWaits(t *testing.T) {
	var talks Talks
	<-talks.Quiet() // there is none
	var all sync.WaitGroup
	for range 8 {
		talks.Begin()
		all.Go(func() {
			for range 1000 {
				talks.Begin()
				talks.End()
			}
			talks.End()
		})
	}
	for range 8 {
		all.Go(func() { <-talks.Quiet() })
	}
	all.Wait()
	<-talks.Quiet()
	talks.Begin()
	select {
	case <-talks.Quiet():
		t.Error("it is quiet while one talks")
	default:
	}
	talks.End()
	<-talks.Quiet()
}
