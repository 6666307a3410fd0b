// Package watch takes over a process that is to watch over a container. It is the one stage that makes networks, so it can't turn off where the
// others do, in package boot: what it needs for them has to be initialised. It begins as early as that allows, and a command begins it before it
// is initialised itself (package small).
//
// It works as package boot does, and like it is imported for its side effect alone.
package watch
