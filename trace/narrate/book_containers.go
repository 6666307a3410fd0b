package narrate

import (
	"strings"

	"github.com/learn-containers/learn/trace/vocab"
)

// containerBook tells of the life of containers.
var containerBook = []phrase{
	{kind: vocab.ContainerCreate,
		tell: func(f *facts) text {
			return text{say: "Container " + f.str("name") + " exists, made from image " + f.image("image") + ". It doesn't run yet.",
				why: "It is a record and an empty writable layer, no more. Its command is: " + f.words("command") + ".",
				how: "Its id is " + f.whole("container") + "; its record is containers/" + ShortID(f.value("container").Str()) + "…/config.json."}
		}},
	{kind: vocab.ContainerStart, doing: "starting the container",
		tell: func(f *facts) text { return text{say: "Starting container " + f.container("container") + "."} },
		done: func(f *facts) text {
			return text{say: "Its first process is running.",
				why: "On this machine it is process " + f.plain("pid") + ", an ordinary process that you can see with ps; inside the container the same process is number 1."}
		}},
	{kind: vocab.ContainerState, tell: stateChanged},
	{kind: vocab.ContainerSignal, tell: signalSent},
	{kind: vocab.ContainerExec, doing: "running a further process",
		tell: func(f *facts) text {
			return text{say: "Running " + f.words("argv") + " as a further process in container " + f.container("container") + ".",
				why: "It joins what the container has already: the same files, the same processes, the same network."}
		},
		done: func(f *facts) text {
			return text{min: Full, say: "The further process returned exit code " + f.number("exit_code") + "."}
		}},
	{kind: vocab.ContainerCommit, doing: "making an image of the container",
		tell: func(f *facts) text {
			return text{say: "Making an image of container " + f.container("container") + " as it is now.",
				why: "Its image's layers are taken over as they are; its changes become one more layer on top."}
		},
		done: func(f *facts) text {
			return text{say: "The container's files are now in image " + f.image("image") + "."}
		}},
	{kind: vocab.ContainerExport, doing: "writing the container's tree",
		tell: func(f *facts) text {
			return text{say: "Writing the whole file tree of container " + f.container("container") + " as one archive.",
				why: "All layers are flattened into one tree: what a lower layer held and a higher one hid is not in it, nor any history, name or command. To keep these, save the image."}
		},
		done: func(f *facts) text { return text{say: "The archive is " + f.bytes("size_bytes") + " long."} }},
	{kind: vocab.ContainerUpdate,
		tell: func(f *facts) text {
			return text{say: "Changed what container " + f.container("container") + " may use: " + f.list("settings") + ".",
				why: "The record is changed for the next start, and the control groups of a running container at once.",
				how: "docker inspect shows it under HostConfig."}
		}},
	{kind: vocab.ContainerRename,
		tell: func(f *facts) text {
			return text{say: "Container " + f.str("previous") + " is now called " + f.str("name") + ".",
				why: "Only its record and the index of names change: it runs on, and its id stays the same.",
				how: "Its id is " + f.whole("container") + "."}
		}},
	{kind: vocab.HealthProbe,
		tell: func(f *facts) text {
			return text{min: Full, say: "The health check " + f.words("argv") + " of container " + f.container("container") + " returned " + f.number("exit_code") + ".",
				why: "It is a further process in the container that its supervisor starts now and then: 0 means healthy, anything else a failure."}
		}},
	{kind: vocab.HealthState, tell: healthChanged},
	{kind: vocab.ContainerCopyIn, doing: "copying files into the container",
		tell: func(f *facts) text {
			return text{say: "Copying " + f.source("source") + " to " + f.path("path") + " in container " + f.container("container") + ".",
				why: "A process of the engine goes into the container's view of files, finds the place there, and unpacks an archive. Nothing of the container is run for it."}
		},
		done: func(f *facts) text {
			return text{say: f.count("files", "file") + " with " + f.bytes("size_bytes") + " went into " + f.whole("into") + "."}
		}},
	{kind: vocab.ContainerCopyOut, doing: "copying files out of the container",
		tell: func(f *facts) text {
			return text{say: "Copying " + f.path("path") + " of container " + f.container("container") + " to " + f.dest("dest") + ".",
				why: "A process of the engine goes into the container's view of files, and packs what is there into an archive."}
		},
		done: func(f *facts) text {
			return text{min: Full, say: f.count("files", "file") + " with " + f.bytes("size_bytes") + " came out."}
		}},
	{kind: vocab.ContainerRemove,
		tell: func(f *facts) text {
			return text{say: "Container " + f.container("container") + " is gone, and its writable layer with it.",
				why: "What it changed is lost unless it was committed or kept in a volume. Its image is untouched."}
		}},
}

func healthChanged(f *facts) text {
	t := text{say: "Container " + f.container("container") + " is " + f.str("status") + ".", how: "Written to the container's health.json by its supervisor; checks that failed in a row: " + f.number("streak") + "."}
	switch f.str("status") {
	case "starting":
		t.min, t.say = Full, "The health of container "+f.container("container")+" is to be checked."
		t.why = "Until its first check succeeds nobody knows whether it does its work; that its process runs says little."
	case "healthy":
		t.why = "Its health check succeeded: it does its work, as far as the check can tell."
	default:
		t.why = "That changes nothing by itself: docker restarts no container because it is unhealthy. A container that is paused or has ended counts as unhealthy too, since nobody checks it."
	}
	return t
}

func stateChanged(f *facts) text {
	name, to := f.container("container"), f.str("to")
	how := "State " + f.str("from") + " -> " + to + ", written to the container's state.json."
	code, oom := f.num("exit_code"), f.flag("oom_killed")
	if to == "restarting" {
		return text{say: "Container " + name + " has ended with exit code " + Number(code) + " and will be started again.", how: how,
			why: "Its restart policy says so. Its supervisor first waits a while: 100 milliseconds, twice as long after each further end, at most a minute; who ran for ten seconds begins anew."}
	}
	if to != "exited" {
		return text{say: "Container " + name + " is " + to + ".", how: how, min: quiet(to)}
	}
	t := text{say: "Container " + name + " has ended with exit code " + Number(code) + ".", how: how}
	switch {
	case oom && code == 137:
		t.say += " It used more memory than it may, so the kernel ended it."
		t.why = "137 is 128 + 9: signal 9 is SIGKILL, which no process can refuse."
	case code > 128 && code <= 128+64:
		t.why = "A code above 128 usually means that a signal ended it: " + Number(code) + " is 128 + " + Number(code-128) + "."
	case code == 0:
		t.why = "0 means success. The record, the log and the writable layer stay until the container is removed."
	default:
		t.why = "The number is what its first process returned; anything but 0 says that it was not content."
	}
	return t
}

// quiet hides at level Short the states that other sentences tell already.
func quiet(state string) Level {
	if state == "created" || state == "running" {
		return Full
	}
	return Short
}

func signalSent(f *facts) text {
	name, signal := f.container("container"), f.str("signal")
	t := text{say: "Sending " + signal + " to container " + name + "."}
	switch reason := f.str("reason"); reason {
	case "stop":
		t.why = "That asks it to end. It may catch the signal, finish its work and leave in order."
	case "stop-timeout":
		t.say = "Container " + name + " did not end in time; sending " + signal + "."
		t.why = "SIGKILL can't be caught: the kernel ends the process on the spot."
	case "remove":
		t.why = "It is being removed by force, so it must end first."
	default:
		t.why = "Reason: " + sentence(reason)
	}
	return t
}

// sentence gives s a full stop if it has none.
func sentence(s string) string {
	s = strings.TrimRight(s, " .")
	if s == "" {
		return ""
	}
	return s + "."
}
