package build

import "sync"

// display numbers the steps of a build and hands them to its Progress one call at a time, whichever stage they come from.
type display struct {
	mu    sync.Mutex
	to    Progress
	shown int
}

// step begins a step and gives its number.
func (d *display) step(s Step) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown++
	s.ID = d.shown
	d.to.Step(s)
	return s.ID
}

// work begins a step that is no instruction.
func (d *display) work(text string) int { return d.step(Step{Text: text}) }

// Cached says that the step's result was in the cache.
func (d *display) Cached(id int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to.Cached(id)
}

// Output hands out what the step's command wrote.
func (d *display) Output(id int, stream Stream, p []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to.Output(id, stream, p)
}

// Done says that the step is over.
func (d *display) Done(id int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to.Done(id, err)
}

// aside runs f, which writes to the terminal itself.
func (d *display) aside(f func() error) error {
	h, ok := d.to.(Holder)
	if !ok {
		return f()
	}
	h.Hold(true)
	defer h.Hold(false)
	return f()
}
