// Package trace is the record of what an engine did: one ordered stream of plain events.
//
// It holds the event, the recorder that numbers events, and the forms in which a trace is kept. It knows no
// engine, no event kind (package vocab lists them), and no meaning (packages world, narrate and view give it).
//
// Invariants: Seq counts 1, 2, 3 without a gap; sinks are called one at a time; recording never changes what
// the recorded code does, so code may not ask whether it is traced except to skip work done for the trace alone.
//
// Units: At is a duration since the trace began; every attribute key that measures something ends in its unit.
package trace
