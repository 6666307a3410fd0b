// Package lessons reads lessons and plays them.
//
// A lesson is one Markdown file: prose, commands to run, files to write, questions before a command (predictions),
// questions after it (evidence) and checks. The package parses that file into steps, runs the commands through a
// small Engine interface in the lesson's own workspace, and judges answers by what the engine's trace and the folded
// World say. It never imports the engine, never compares printed output, and holds no answer key: keys are
// expressions, computed after the command has run.
//
// Invariants: a step is one command line; steps count 1, 2, 3 through the whole lesson; going back resets the engine
// and replays from the start, so nothing is ever undone by hand; the same seed gives the same lesson.
//
// Units: sizes in expressions are bytes; KiB and MiB are defined there.
package lessons
