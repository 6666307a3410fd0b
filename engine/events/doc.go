// Package events is the engine's event log: what docker events shows. Every process that changes something appends a line to one file of
// the home; there is no daemon that would remember it.
//
// It is not the trace. The trace tells a learner what the engine does, step by step, to whoever asked for it; this log keeps docker's few
// kinds of events for everybody, also for a reader that comes later.
//
// Invariants: a line is appended by one write, so that lines of several processes do not mix. The log is two files of at most
// MaxBytes or a little more; the older half is thrown away as a whole. Nothing is synced: after a power cut the last events may be missing,
// and a torn line is skipped. Events are in the order in which they were appended; one that was noticed late has its own earlier time.
package events
