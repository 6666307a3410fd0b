package narrate

import "github.com/learn-containers/learn/trace/vocab"

// volumeBook tells of folders that outlive containers.
var volumeBook = []phrase{
	{kind: vocab.VolumeCreate,
		tell: func(f *facts) text {
			t := text{say: "Volume " + f.volume("volume") + " exists: a folder that is no container's.",
				why: "What is written to it stays when a container is removed, and several containers may have it at once.",
				how: "Its driver is " + f.str("driver") + "; its record is " + f.path("volume") + ".json among the engine's volumes."}
			if f.flag("anonymous") {
				t.say = "An anonymous volume exists: " + f.volume("volume") + "."
				t.why = "Nobody gave it a name, so a random one was made up. It goes with its container when that is removed with -v or was run with --rm."
			}
			return t
		}},
	{kind: vocab.VolumeFill,
		tell: func(f *facts) text {
			return text{say: "Volume " + f.volume("volume") + " was empty, so what the image has in " + f.path("path") + " was copied into it: " + f.count("files", "entry", "entries") + ", " + f.bytes("size_bytes") + ".",
				why: "A mount hides what is below it. By the copy the program finds the files that it came with; later changes of the image don't get there."}
		}},
	{kind: vocab.VolumeMount,
		tell: func(f *facts) text {
			t := text{say: "Container " + f.container("container") + " has volume " + f.volume("volume") + " at " + f.path("target") + ".",
				why: "What it writes there goes to the volume, past its writable layer: docker diff doesn't show it and docker commit doesn't keep it."}
			if f.flag("read_only") {
				t.say = "Container " + f.container("container") + " has volume " + f.volume("volume") + " at " + f.path("target") + ", to read only."
				t.why = "Another container may still write to it."
			}
			return t
		}},
	{kind: vocab.VolumeWrite, tell: volumeWritten},
	{kind: vocab.VolumeUnmount, from: Full,
		tell: func(f *facts) text {
			return text{say: "Container " + f.container("container") + " has let go of volume " + f.volume("volume") + " at " + f.path("target") + ".",
				why: "The container still names it, so it can't be removed before the container is."}
		}},
	{kind: vocab.VolumeRemove,
		tell: func(f *facts) text {
			return text{say: "Volume " + f.volume("volume") + " is gone, and everything in it.",
				why: "No container named it any more. Nothing else keeps its files."}
		}},
}

func volumeWritten(f *facts) text {
	where := f.path("path") + " in volume " + f.volume("volume")
	kind, size := f.str("type"), f.bytes("size_bytes")
	const past = "It goes to the volume and not to the container's writable layer, so it stays when the container is removed."
	switch f.str("change") {
	case "create":
		if kind == "file" {
			return text{say: "New file " + where + ", " + size + ".", why: past}
		}
		return text{say: "New " + kind + " " + where + ".", why: past}
	case "remove":
		return text{say: "Removed " + where + ".", why: "No layer lies below a volume, so there is nothing to hide by a whiteout: it is really gone."}
	}
	return text{say: "Written: " + where + ", now " + size + ".", why: "No copy was made first, as in a writable layer: a volume holds the file itself."}
}

// volume names a volume; a made-up name is cut as docker cuts ids.
func (f *facts) volume(key string) string {
	name := f.str(key)
	if len(name) == 64 {
		return name[:12]
	}
	return name
}
