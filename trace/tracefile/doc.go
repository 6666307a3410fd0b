// Package tracefile keeps traces in files: one event a line, as package trace encodes it, each line sealed
// with a hash of everything before it.
//
// The line of event n is line n of the file. Besides the event a line holds "hash", and line 1 also "begun", the
// wall-clock time at which the trace's time starts. The hash of a line is the SHA-256, in hex, of the hash of
// the line before it (nothing for line 1) followed by this line with the part ,"hash":"..." cut out. So a line that is changed,
// removed, added or moved breaks the chain at that line, and standard tools can check it. The chain proves
// that a file was not edited by accident or by hand; it is no signature: who can write the file can seal it anew.
//
// Several processes may append to one file. Each keeps its events in memory and appends them in batches under a
// lock, so the order is exact within a process and that of the batches between processes. Seq and Span are
// renumbered to be unique in the file: a step's number is the Seq of its begin. A process killed in the middle of a
// write leaves a torn last line; readers pass over it and the next writer cuts it off.
package tracefile
