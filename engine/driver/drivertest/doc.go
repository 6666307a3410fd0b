// Package drivertest is the conformance suite of a driver: what an engine may rely on whatever machine is below. Each case is named
// by the rule that it holds a driver to; the rules are those of Linux: its overlay file system, its processes and signals, docker's
// reading of them, and the comments of package driver.
//
// It is not a test of speed, nor of how a driver does its work: no case looks at a host path, a host process or a driver's own files.
// What differs by nature between machines (process ids, times, inode numbers) is not compared.
//
// Invariants: cases share one machine and run at the same time, so none of them may depend on being alone; whatever a case makes has
// the case's own key, and is gone when the case ends. A case never skips: a driver passes it or does not conform.
package drivertest
