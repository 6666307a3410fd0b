package narrate

import "github.com/learn-containers/learn/trace/vocab"

// supplyBook tells of what is inside an image, what is known against it, and what others say about it.
var supplyBook = []phrase{
	{kind: vocab.SBOMRead, doing: "looking for packages",
		tell: func(f *facts) text {
			return text{say: "Looking for packages in image " + f.image("image") + ".",
				why: "Package managers leave lists and compilers leave notes in files. They are read layer by layer; nothing of the image is executed."}
		},
		done: func(f *facts) text {
			return text{say: "Found " + f.count("packages", "package") + "; " + f.count("databases", "list") + " of a package manager."}
		}},
	{kind: vocab.SBOMDatabase,
		tell: func(f *facts) text {
			return text{say: "Read " + f.path("path") + ", as layer " + f.digest("diff_id") + " has it: " + f.count("packages", "package") + " of type " + f.str("type") + ".",
				why: "The layer holds the whole list anew. Which layer brought a package is seen by comparing the list with those of the layers below."}
		}},
	{kind: vocab.Scan, doing: "comparing with known vulnerabilities",
		tell: func(f *facts) text {
			return text{say: "Comparing the packages of image " + f.image("image") + " with the records in " + f.path("db") + ".",
				why: "A record says in which versions of which package a flaw is. Only names and versions are compared; whether the flaw can be reached, nobody looked."}
		},
		done: func(f *facts) text {
			return text{say: "Of " + f.count("packages", "package") + ", " + f.count("records", "record") + " name one, and " + f.number("findings") + " concern the version that is there."}
		}},
	{kind: vocab.ReferrerFetch, from: Full,
		tell: func(f *facts) text {
			say := "An artifact came along: " + f.digest("manifest") + " of type " + f.str("artifact_type") + ", " + f.bytes("size_bytes") + "."
			if f.flag("existed") {
				say = "An artifact that goes with the image is here already: " + f.digest("manifest") + " of type " + f.str("artifact_type") + "."
			}
			return text{say: say, why: "Signatures and lists of packages are not in an image, whose digest they would change. They are manifests of their own that name it as their subject.",
				how: "Its subject is " + f.whole("subject") + "."}
		}},
	{kind: vocab.ReferrerGive, from: Full,
		tell: func(f *facts) text {
			t := text{say: "An artifact went along: " + f.digest("manifest") + " of type " + f.str("artifact_type") + ".", how: "Its subject is " + f.whole("subject") + "."}
			if f.has("tag") {
				t.why = "The registry keeps no lists of artifacts, so the list is an index of its own, under the tag " + f.str("tag") + "."
			}
			return t
		}},
	{kind: vocab.ReferrerAttach,
		tell: func(f *facts) text {
			return text{say: "Attached an artifact of type " + f.str("artifact_type") + ", " + f.bytes("size_bytes") + ", to " + f.digest("subject") + ".",
				why: "It is a manifest of its own that names the image's as its subject; the image and its digest stay as they are.",
				how: "It is " + f.whole("manifest") + ", entered without a name in images/index.json."}
		}},
}
