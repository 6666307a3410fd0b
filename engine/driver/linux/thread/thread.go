//go:build linux

// Package thread gives work that changes its thread for good (namespaces, the working folder) a thread that nobody else uses.
//
// Invariant: it is never the first thread of the process. That one can't end, so it would stay what the work made of it, and it is the one that
// /proc/self and /proc/PID show.
package thread

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Apart calls do on a thread of its own, which ends with it, and returns afterwards.
func Apart(do func()) {
	done := make(chan struct{})
	go apart(do, done)
	<-done
}

func apart(do func(), done chan<- struct{}) {
	runtime.LockOSThread() // and never unlock: so the thread ends
	if unix.Gettid() != os.Getpid() {
		defer close(done)
		do()
		return
	}
	defer runtime.UnlockOSThread()
	Apart(do) // while this one holds the first thread
	close(done)
}
