package narrate

import "github.com/learn-containers/learn/trace/vocab"

// imageBook tells of blobs, images and names.
var imageBook = []phrase{
	{kind: vocab.BlobWrite, from: Full, tell: blobWritten},
	{kind: vocab.BlobRemove, from: Full,
		tell: func(f *facts) text {
			return text{say: "Removed the blob " + f.digest("digest") + ", which sets " + f.bytes("size_bytes") + " free.",
				why: "Nothing refers to it any more: no image, no cache entry, no container.",
				how: "unlink images/blobs/" + f.blobPath("digest") + "."}
		}},
	{kind: vocab.ArchiveDrop,
		tell: func(f *facts) text {
			return text{say: "Dropped the archive of layer " + f.digest("digest") + ", " + f.bytes("size_bytes") + "; the unpacked files and a skeleton of " + f.bytes("skeleton_bytes") + " stay.",
				why: "An archive is headers, order and padding around the files. With these it can be had again: that was tried first. One that another program compressed comes from its registry when its very bytes are wanted.",
				how: "unlink images/blobs/" + f.blobPath("digest") + "; the skeleton is in skeletons/. Whoever reads the blob gets it put together from both."}
		}},
	{kind: vocab.ImageLoad, doing: "reading the archive",
		tell: func(f *facts) text {
			return text{say: "Reading images from " + f.source("source") + ".",
				why: "Each layer's bytes are hashed while they are read, and compared with the digest that the archive promises."}
		},
		done: func(f *facts) text { return text{say: "The archive held " + f.count("images", "image") + "."} }},
	{kind: vocab.ImageSave, doing: "writing the archive",
		tell: func(f *facts) text {
			return text{say: "Writing " + f.list("refs") + " to an archive.",
				why: "Saving keeps an image whole: every layer as it is, the history and the settings, under the same digests. An export keeps one flat tree of files and nothing else."}
		},
		done: func(f *facts) text {
			return text{say: "The archive is " + f.bytes("size_bytes") + " long.",
				why: "A layer that several of these images share is in it once."}
		}},
	{kind: vocab.ImageImport, doing: "making an image of a file tree",
		tell: func(f *facts) text {
			return text{say: "Making an image of the file tree in " + f.source("source") + ".",
				why: "All files become one single layer; there is no history and no command to start."}
		},
		done: func(f *facts) text { return text{say: "The tree is now the image " + f.image("image") + "."} }},
	{kind: vocab.ImageLook, doing: "looking into the image's layers",
		tell: func(f *facts) text {
			return text{say: "Looking into the " + f.count("layers", "layer") + " of image " + f.image("image") + ".",
				why: "Only the archives are read; nothing is unpacked, mounted or run."}
		},
		done: func(f *facts) text {
			if f.num("wasted_bytes") == 0 {
				return text{say: "A container sees every byte of them."}
			}
			return text{say: f.bytes("wasted_bytes") + " of them are seen by no container.",
				why: "Layers are never changed, so what a later one deletes or replaces stays in the one that brought it."}
		}},
	{kind: vocab.ImageCreate, tell: imageCreated},
	{kind: vocab.ImageTag, tell: imageTagged},
	{kind: vocab.ImageUntag,
		tell: func(f *facts) text {
			return text{say: "Took the name " + f.name("ref") + " away from image " + ShortID(f.value("image").Str()) + ".",
				why: "Only the name is gone. The image and its layers stay until nothing needs them.",
				how: "The entry of " + f.str("ref") + " in images/index.json is removed."}
		}},
	{kind: vocab.ImageRemove,
		tell: func(f *facts) text {
			return text{say: "Image " + ShortID(f.value("image").Str()) + " is gone.",
				why: "Its layers are removed as well, but only those that no other image, container or cache entry uses."}
		}},
	{kind: vocab.ImagePrune, doing: "removing unused images",
		tell: func(f *facts) text {
			if f.flag("all") {
				return text{say: "Looking for images that no container uses, with or without a name."}
			}
			return text{say: "Looking for images that have no name and that no container uses."}
		},
		done: func(f *facts) text {
			return text{say: "Removed " + f.count("images", "image") + " and set " + f.bytes("freed_bytes") + " free.",
				why: "That can be far less than the images' sizes together: a layer goes only with the last image that has it."}
		}},
}

func blobWritten(f *facts) text {
	size, digest := f.bytes("size_bytes"), f.digest("digest")
	how := "The file is images/blobs/" + f.blobPath("digest") + ", of type " + f.str("media_type") + "."
	if f.flag("existed") {
		return text{say: "The store has these " + size + " already, as " + digest + "; nothing is written twice.",
			why: "The same bytes always have the same digest, and so the same name.", how: how}
	}
	return text{say: "Stored " + size + " under the name " + digest + ".",
		why: "The name is the SHA-256 of the bytes, so whoever reads them can prove that they are unchanged.",
		how: how + " It was written to a temporary file, made durable with fsync, and renamed."}
}

func imageCreated(f *facts) text {
	layers := f.value("diff_ids").List()
	return text{
		say: "Image " + ShortID(f.value("image").Str()) + " exists now: " + Count(int64(len(layers)), "layer") + ", " +
			f.bytes("size_bytes") + " in all" + origin(f.str("origin")) + ".",
		why: "An image holds no files itself. It is a short list of its layers, lowest first (" + f.digests("diff_ids") +
			"), and of what to start. Its id is the digest of that text.",
		how: "Config " + f.whole("image") + ", manifest " + f.whole("manifest") + ", entered in images/index.json.",
	}
}

func origin(o string) string {
	switch o {
	case "":
		return ""
	case "build":
		return ", from a build"
	case "commit":
		return ", from a container's changes"
	case "load":
		return ", from an archive"
	case "import":
		return ", from a file tree"
	case "base":
		return ", made from this very program"
	}
	return ", from " + o
}

func imageTagged(f *facts) text {
	id := ShortID(f.value("image").Str())
	how := "images/index.json: " + f.str("ref") + " -> " + f.whole("image") + "."
	previous := f.value("previous").Str()
	if previous == "" || previous == f.value("image").Str() {
		return text{say: "The name " + f.name("ref") + " now means image " + id + ".",
			why: "A name is a pointer and takes no space; one image can have many.", how: how}
	}
	return text{say: "The name " + f.name("ref") + " moved from image " + ShortID(previous) + " to image " + id + ".",
		why: "The earlier image has not changed. It is still there, with one name fewer.", how: how}
}
