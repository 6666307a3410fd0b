package blob

import "os"

// aheadBytes is how much of a blob is written between two syncs.
const aheadBytes = 32 << 20

// ahead syncs a long file in a goroutine of its own while it is still being written, so that the disk has work from the start and the last
// sync, at Commit, has little left to do. Its errors are the file's: a sync that fails once need not fail again, so they must not get lost.
type ahead struct {
	file *os.File
	next int64
	work chan struct{}
	done chan error
}

func newAhead(f *os.File) *ahead {
	a := &ahead{file: f, work: make(chan struct{}, 1), done: make(chan error, 1)}
	go a.run()
	return a
}

func (a *ahead) run() {
	var failed error
	for range a.work {
		if err := a.file.Sync(); err != nil && failed == nil {
			failed = err
		}
	}
	a.done <- failed
}

// wrote says how long the file is by now. A sync that is under way is not waited for.
func (a *ahead) wrote(size int64) {
	if a == nil || size < a.next {
		return
	}
	a.next = size + aheadBytes
	select {
	case a.work <- struct{}{}:
	default:
	}
}

// finish waits for the goroutine to end.
func (a *ahead) finish() error {
	if a == nil {
		return nil
	}
	close(a.work)
	return <-a.done
}
