package lan

import (
	"sync"
	"time"
)

// deadline is a moment of real time after which calls give up. The zero value is no deadline.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	turn  int           // counts the settings, so that a timer that comes too late knows
	done  chan struct{} // closed when the moment has come
}

// expired is closed as soon as the deadline that is set now has passed.
func (d *deadline) expired() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.channel()
}

func (d *deadline) channel() chan struct{} {
	if d.done == nil {
		d.done = make(chan struct{})
	}
	return d.done
}

// set moves the deadline; calls that wait already are not kept by an old one that has not passed.
func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.turn++
	done, turn := d.channel(), d.turn
	select {
	case <-done:
		done = make(chan struct{})
		d.done = done
	default:
	}
	if at.IsZero() {
		return
	}
	left := time.Until(at)
	if left <= 0 {
		close(done)
		return
	}
	d.timer = time.AfterFunc(left, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.turn == turn {
			close(done)
		}
	})
}
