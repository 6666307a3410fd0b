package relay

import "sync"

// Talks counts the clients that a supervisor speaks with. Unlike a sync.WaitGroup it may begin a new talk while somebody waits for the end of
// all: one that rests still serves. The zero value is ready for use.
type Talks struct {
	mu    sync.Mutex
	n     int
	quiet chan struct{} // closed when there is none; nil: nobody waits
}

// Begin counts one talk more.
func (t *Talks) Begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

// End counts one talk less.
func (t *Talks) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.quiet != nil {
		close(t.quiet)
		t.quiet = nil
	}
}

// Quiet gives a channel that is closed as soon as there is no talk.
func (t *Talks) Quiet() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if t.quiet == nil {
		t.quiet = make(chan struct{})
	}
	return t.quiet
}
