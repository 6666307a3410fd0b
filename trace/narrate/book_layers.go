package narrate

import (
	"strings"

	"github.com/learn-containers/learn/trace/vocab"
)

// layerBook tells of layers, writable layers and copy-on-write.
var layerBook = []phrase{
	{kind: vocab.LayerApply, from: Full, doing: "unpacking the layer",
		tell: func(f *facts) text {
			below := "as the lowest layer"
			if f.has("parent") {
				below = "on top of " + f.digest("parent")
			}
			return text{say: "Unpacking layer " + f.digest("diff_id") + " " + below + ".",
				why: "This happens once; every image and container that has the layer shares the folder.",
				how: "Together with the layers below it is called " + f.whole("chain_id") + "."}
		},
		done: func(f *facts) text {
			return text{say: "Unpacked: " + f.count("files", "entry") + ", " + f.bytes("size_bytes") + " of file content."}
		}},
	{kind: vocab.LayerReuse, from: Full,
		tell: func(f *facts) text {
			return text{say: "Layer " + f.digest("diff_id") + " is on disk already, unpacked: shared, not copied.",
				how: "Folder of chain " + f.whole("chain_id") + "."}
		}},
	{kind: vocab.LayerSkip,
		tell: func(f *facts) text {
			return text{say: "Left out " + f.path("path") + " of a layer: " + sentence(f.str("reason")),
				how: "While unpacking chain " + f.whole("chain_id") + "."}
		}},
	{kind: vocab.LayerLook, tell: layerLooked},
	{kind: vocab.LayerCommit, doing: "making a layer of the changes",
		tell: layerBegun,
		done: layerCommitted},
	{kind: vocab.LayerRemove, from: Full,
		tell: func(f *facts) text {
			return text{say: "Removed the unpacked layer " + f.digest("chain_id") + "; nothing stands on it."}
		}},
	{kind: vocab.SnapshotPrepare, from: Full, tell: snapshotPrepared},
	{kind: vocab.SnapshotRemove, from: Full,
		tell: func(f *facts) text {
			return text{say: "The " + f.writable("key") + " is gone.",
				why: "What was committed lives on as a layer; every other change is lost. The layers below are as they always were."}
		}},
	{kind: vocab.CowCopyUp, tell: copiedUp},
	{kind: vocab.CowCreate, tell: created},
	{kind: vocab.CowWrite, from: Full,
		tell: func(f *facts) text {
			return text{say: f.path("path") + " was written again and is now " + f.bytes("size_bytes") + " long.",
				why: "It is in the writable layer already, so nothing is copied any more.", how: "In " + f.place("key") + "."}
		}},
	{kind: vocab.CowRemove,
		tell: func(f *facts) text {
			return text{say: f.path("path") + " is gone for good.",
				why: "Only the writable layer had it, so no mark is needed to hide anything.", how: "unlink in the upper folder of " + f.place("key") + "."}
		}},
	{kind: vocab.CowWhiteout,
		tell: func(f *facts) text {
			return text{say: f.path("path") + " looks deleted, but it is only hidden: layer " + f.digest("layer") + " still holds it.",
				why: "A lower layer never changes. The writable layer got a mark with the same name, a whiteout, that says: not here.",
				how: "The whiteout in the upper folder of " + f.place("key") + " is a character device with number 0/0 (or a file with the attribute overlay.whiteout)."}
		}},
	{kind: vocab.CowOpaque,
		tell: func(f *facts) text {
			return text{say: "The folder " + f.path("path") + " now hides everything that lower layers have in it.",
				why: "The folder was removed and made anew. One mark on it does the work of a whiteout for each file.",
				how: `In ` + f.place("key") + ` the folder has the attribute overlay.opaque="y".`}
		}},
}

func layerBegun(f *facts) text {
	below := "There is no layer below."
	if f.has("parent") {
		below = "It will lie on top of " + f.digest("parent") + "."
	}
	if !f.has("key") {
		return text{say: "Making a layer of the files to copy.",
			why: "They go from the build context straight into the layer's archive; nothing has to run for that. " + below}
	}
	return text{say: "Making a layer of what changed in " + f.place("key") + ".",
		why: "Only the differences go in, not the whole tree. " + below}
}

func layerCommitted(f *facts) text {
	return text{
		say: "The changes are now layer " + f.digest("diff_id") + ": " + f.count("files", "file or folder added or changed", "files and folders added or changed") +
			", " + f.count("whiteouts", "name deleted", "names deleted") + ", " + f.bytes("size_bytes") + ".",
		why: "From here on this layer never changes. Its digest covers every byte, every owner and every permission in it.",
		how: "With the layers below it is called " + f.whole("chain_id") + "."}
}

func snapshotPrepared(f *facts) text {
	below := "nothing"
	if f.has("chain_id") {
		below = f.count("lowers", "read-only layer")
	}
	return text{say: "Put an empty writable layer on top of " + below + ".",
		why: "Nothing of the image is copied. The overlay file system shows all layers as one tree and sends every change to the top one.",
		how: "For " + f.place("key") + ": " + f.count("lowers", "lower folder") + ", top chain " + f.whole("chain_id") + "; upper folder " + f.path("upper") + ": look into it while the container runs."}
}

// copiedUp is the sentence at the heart of the copy-on-write lesson.
func copiedUp(f *facts) text {
	t := text{
		say: f.path("path") + " is in a lower layer (" + f.digest("layer") + "), which never changes; " + copyDone(f) + ".",
		why: "From now on it hides the original here; everyone else still sees the original.",
		how: "Copy-up in " + f.place("key") + ": change " + f.str("change") + ", " + f.bytes("copied_bytes") + " copied, " +
			f.count("changed_bytes", "byte") + " differ from the lower file."}
	if f.num("copied_bytes") == 0 && f.str("change") == "none" {
		t.min = Full // a folder in which something else changed
	}
	return t
}

// copyDone says what a change to a lower file cost. Nothing is copied when a new file takes the name, or when there is
// no content: a folder, a link, an empty file.
func copyDone(f *facts) string {
	change := f.str("change")
	if f.num("copied_bytes") == 0 {
		switch change {
		case "content":
			return "a new file in the writable layer takes its place"
		case "metadata":
			return "the writable layer got an entry of its own for it, with another owner, mode or time"
		}
		return "the writable layer got an entry of its own for it"
	}
	copied := "the kernel copied all " + f.bytes("copied_bytes") + " up"
	switch change {
	case "content":
		return copied + " for a change of " + f.count("changed_bytes", "byte")
	case "metadata":
		return copied + " to change only its owner, mode or times"
	}
	return copied + ", though nothing in it differs: to open a file for writing is enough"
}

func created(f *facts) text {
	what := f.str("type")
	switch what {
	case "dir":
		what = "folder"
	case "symlink":
		what = "symbolic link"
	}
	t := text{say: f.path("path") + " is a new " + what,
		why: "No lower layer has this name, so it is simply put in the writable layer.", how: "In the upper folder of " + f.place("key") + "."}
	size := f.bytes("size_bytes")
	if what == "file" {
		t.say += " of " + size
	}
	t.say += "."
	return t
}

// layerLooked tells what a layer is to those below it, and what each of its means is.
func layerLooked(f *facts) text {
	what := f.count("added", "file") + " added, " + f.number("changed") + " changed, " + f.number("metadata") + " with other metadata only, " + f.number("deleted") + " deleted"
	t := text{say: "Layer " + f.number("number") + " (" + f.digest("diff_id") + "): " + what + "; its archive holds " + f.bytes("content_bytes") + " of file content."}
	var why []string
	if f.num("whiteouts") > 0 {
		why = append(why, f.count("whiteouts", "deletion is", "deletions are")+" written down as a whiteout, an empty file called .wh.NAME: it hides what layers below have, and takes no byte of it away.")
	}
	if f.num("opaque") > 0 {
		why = append(why, f.count("opaque", "folder is", "folders are")+" opaque: one mark in it hides all that the layers below have there.")
	}
	if f.num("copied_bytes") > 0 {
		why = append(why, f.bytes("copied_bytes")+" of it are whole copies of files that a layer below has: a change of mode, owner or time copies the file up, and the old one stays.")
	}
	if f.num("wasted_bytes") > 0 {
		why = append(why, f.bytes("wasted_bytes")+" of it are out of every container's sight, because a layer above overwrites, deletes or hides them; whoever has the image has them all the same.")
	}
	t.why = strings.Join(why, " ")
	t.how = "Its archive was read and compared with its digest."
	if f.flag("cached") {
		t.how = "What an earlier look found in its archive is in cache/layers; the archive was not read again."
	}
	return t
}
