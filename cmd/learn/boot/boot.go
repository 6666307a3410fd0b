// Package boot is the early branch for processes that the engine starts from its own binary: the first stage of a container's
// process, that of a further one, the holder of a user namespace. They must run within a millisecond or two, so they turn off here,
// before the packages that the commands need are initialised. Supervisors follow in package watch.
//
// It works because Go initialises packages in the order of their import paths as soon as their imports are done: this one
// and everything it imports come before regexp, and with it before all that builds tables. A test keeps it so. Nothing may be
// called in this package; main imports it for its side effect.
package boot
