package narrate

import "github.com/learn-containers/learn/trace/vocab"

// engineBook tells of commands and of the engine itself.
var engineBook = []phrase{
	{kind: vocab.Command, doing: "the command",
		tell: func(f *facts) text { return text{say: "$ " + f.words("argv")} },
		done: func(f *facts) text {
			if f.num("exit_code") == 0 {
				return text{min: Kernel, say: "The command returned exit code 0: success."}
			}
			return text{say: "The command returned exit code " + f.number("exit_code") + ".",
				why: "Anything but 0 tells the caller that something did not go well."}
		}},
	{kind: vocab.CommandStart, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "Process " + f.plain("pid") + " opened the engine with the " + f.str("driver") + " driver.",
				how: "No daemon is running: every command is a process that works on the same folder."}
		}},
	{kind: vocab.ExerciseCheck, from: Full, doing: "the check",
		tell: func(f *facts) text {
			return text{say: "Check " + f.str("check") + " of exercise " + f.str("exercise") + " tries something.",
				why: "What happens until it is done is the check's doing and not the learner's."}
		},
		done: func(f *facts) text { return text{min: Full, say: "The check has tried what it wanted to."} }},
	{kind: vocab.EngineOpen, from: Full,
		tell: func(f *facts) text {
			return text{say: "The engine works in " + f.path("home") + " with the " + f.str("driver") + " driver.",
				why: "Why this driver: " + sentence(f.str("reason"))}
		}},
	{kind: vocab.Recover, doing: "cleaning up after a killed process",
		tell: func(f *facts) text {
			return text{say: "An earlier command was killed in the middle of its work (" + f.str("operation") + "); its leftovers are being removed.",
				why: "What it had finished is kept; what it had only begun is nowhere referred to, so nothing breaks.",
				how: "It was process " + f.plain("pid") + ", and it is not alive any more. Each thing it made was written down before it was made."}
		},
		done: func(f *facts) text {
			return text{say: "Cleaned up: " + f.count("removed", "leftover") + " removed."}
		}},
	{kind: vocab.RecoverRemove, from: Full,
		tell: func(f *facts) text {
			return text{say: "Removed the leftover " + f.str("what") + " " + f.path("path") + "."}
		}},
}
