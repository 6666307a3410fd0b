//go:build linux

// Package shim holds the processes that the engine starts from its own binary to run a container: the supervisor (shim), the
// stage that becomes the container's first process (init), the stage that becomes a further one (exec), and the holder of a
// user namespace (userns). It is not the runtime that the engine sees (package linux) and knows nothing of images.
//
// It stays lean: os, encoding/json, x/sys/unix and package trace, so that a stage runs within two milliseconds of its execve.
//
// # Processes
//
//	command -> shim -> init stage -> the user's program
//	               \-> exec stage -> a further program
//
// The shim leaves the command's session and outlives it. Everything in the container dies with the shim (parent death signal,
// and pid 1 takes the rest of its namespace along), so a container without a supervisor does not exist for long.
//
// # Protocol
//
// Client and shim speak JSON, one message per line, over a stream socket: Request one way, Reply the other. File descriptors
// travel as SCM_RIGHTS with the first byte of the message that counts them. A connection carries one request; start and exec
// are answered twice (started, exit), attach and wait once, at the end. A client that closes its connection takes its streams
// along; the container runs on. The first connection is a socket pair that the shim inherits as descriptor 3, the others come
// through <Dir>/shim.sock, which only the owner can open.
//
// Shim and stage speak the same way: the shim sends the Config (or the exec's), the stage answers with Reports and the
// end of the stream, which comes from close-on-exec, means that the user's program has taken over. Where the container is on networks, the
// first stage waits, once all else is done, for a message that says they are ready. How they are made is a Connector's affair (package uplink).
//
// # Files in the container's folder
//
//	task.json   who runs: pids with start times and boot id. Written before the program runs, not synced: worthless after a crash
//	exit.json   how it ended. Written once, synced unless the container is ephemeral, before anybody is told
//	shim.sock   where clients connect
//	events      a line that says how far it has been handed out, then what the stages and the copy-on-write watcher
//	            recorded, one trace event per line
//	events.reported  empty; says that the events tell all that is in the writable layer, so the next start does not tell it again
package shim
