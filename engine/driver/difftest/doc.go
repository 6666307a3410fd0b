// Package difftest holds two drivers against each other: it does the same random things to files on both, on top of the same
// random layers, and expects the same of both: the errors, the trees, the changes, the bytes of the layer archive, and the trees
// that come of it again on either side.
//
// All of it is tests. The linux driver's side is a real overlay mount, so they need root on Linux and say so elsewhere. Everything
// follows from a seed; a difference is shrunk to a few operations and printed with it.
//
//	go test ./engine/driver/difftest -run TestDifferential -sequences 20000 -seed 1
package difftest
