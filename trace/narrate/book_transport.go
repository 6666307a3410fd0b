package narrate

import "github.com/learn-containers/learn/trace/vocab"

// transportBook tells of what comes from and goes to registries and folders.
var transportBook = []phrase{
	{kind: vocab.ImagePull, doing: "pulling the image",
		tell: func(f *facts) text {
			return text{say: "Pulling " + f.name("ref") + " for " + f.str("platform") + ".",
				why: "The registry gives a manifest, which lists a config and layers by their digests. What is here already is not fetched again."}
		},
		done: func(f *facts) text {
			return text{say: "It is image " + f.image("image") + "; " + f.count("blobs", "blob") + " came over the network, " + f.bytes("size_bytes") + " in all."}
		}},
	{kind: vocab.ImageDigests, tell: digestsTold},
	{kind: vocab.BlobFetch, tell: blobFetched},
	{kind: vocab.ImagePush, doing: "pushing the image",
		tell: func(f *facts) text {
			return text{say: "Pushing " + f.name("ref") + ".",
				why: "Layers and config go first and the manifest last, so that a name never leads to an image that is not all there."}
		},
		done: func(f *facts) text {
			return text{say: "The registry has it now" + whatAPushMoved(f) + ".", how: "There its manifest is " + f.whole("manifest") + "."}
		}},
	{kind: vocab.ImagePushLayer, tell: tellPushedLayer},
	{kind: vocab.CacheImport, doing: "reading the cache of other builds",
		tell: func(f *facts) text {
			return text{say: "Looking for results of other builds in " + f.path("source") + ".",
				why: "A result counts as that of a step here if it has the same key. Whoever can write there decides what such steps result in."}
		},
		done: func(f *facts) text { return text{say: "It holds " + f.count("records", "result") + "."} }},
	{kind: vocab.CacheExport, doing: "giving the cache away",
		tell: func(f *facts) text {
			return text{say: "Writing results of this build to " + f.path("target") + ".",
				why: "A build on another machine that has the same key for a step takes the layer from there."}
		},
		done: func(f *facts) text {
			return text{say: "Wrote " + f.count("records", "result") + " with " + f.count("layers", "layer") + "; " + f.bytes("size_bytes") + " were not there yet."}
		}},
	{kind: vocab.BuildOutput, doing: "writing the result",
		tell: func(f *facts) text {
			return text{say: "Writing the result to " + f.source("dest") + ".", why: "Its form is " + f.str("type") + "."}
		},
		done: func(f *facts) text { return text{say: "Wrote " + f.bytes("size_bytes") + "."} }},
}

// digestsTold keeps apart the three digests that an image has.
func digestsTold(f *facts) text {
	say := "The name leads to manifest " + f.digest("manifest")
	if f.str("index") != "" {
		say = "The name leads to a list of manifests, " + f.digest("index") + ", and that, for this platform, to manifest " + f.digest("manifest")
	}
	return text{say: say + "; it lists " + f.count("layers", "layer") + " and config " + f.digest("config") + ".",
		why: "Each document names the next by its digest, so who has the first digest right gets nothing wrong. What pull prints is the first of them; " +
			"the image's id is the digest of the config.",
		how: "The manifest is " + f.whole("manifest") + ", the config " + f.whole("config") + "."}
}

func blobFetched(f *facts) text {
	layer := "Layer " + f.digest("digest")
	how := "Its archive has " + f.bytes("size_bytes") + ", " + f.bytes("resumed_bytes") + " of them from an earlier pull that broke off."
	shared := f.str("shared_with")
	switch {
	case f.flag("existed") && shared != "":
		return text{say: layer + " is here already: " + shared + " has it too.", why: "A layer is a blob with a digest of its own, so images share it, on disk and on the network.", how: how}
	case f.flag("existed"):
		return text{say: layer + " is here already.", how: how}
	case f.value("resumed_bytes").Int() > 0:
		return text{say: layer + " is here; " + f.bytes("resumed_bytes") + " of its " + f.bytes("size_bytes") + " were left from an earlier pull and not sent again.",
			why: "What a broken pull leaves is kept. The digest of the whole shows that the two parts fit.", how: how}
	}
	return text{say: layer + " came over the network, " + f.bytes("size_bytes") + ".", how: how}
}

// whatAPushMoved says which blobs the repository lacked, and how it came by them.
func whatAPushMoved(f *facts) string {
	mounted, bytes := f.num("mounted"), f.bytes("size_bytes")
	sent := f.num("blobs") - mounted
	took := "took " + Count(mounted, "blob") + " from its other repositories"
	switch {
	case sent > 0 && mounted > 0:
		return ": it " + took + ", and " + Count(sent, "blob") + " travelled, " + bytes + " in all"
	case sent > 0:
		return ": it lacked " + Count(sent, "blob") + ", " + bytes + " in all"
	case mounted > 0:
		return ": it " + took + ", so no blob travelled"
	}
	return ": the repository had every blob, so only the manifest travelled"
}

// tellPushedLayer says whether a layer travelled, and if not, why.
func tellPushedLayer(f *facts) text {
	from, sent, whole := f.str("from"), f.bytes("sent_bytes"), f.bytes("layer_bytes")
	switch f.str("how") {
	case "exists":
		return text{say: "Layer " + f.digest("diff_id") + " stayed here: the repository has it already.",
			why: "A layer is found by its digest. One that is there need not be sent, whoever pushed it.", how: "It was asked for " + f.whole("digest") + "."}
	case "mounted":
		return text{say: "Layer " + f.digest("diff_id") + " stayed here: the registry took it from its repository " + from + ".",
			why: "Both repositories now share one blob.", how: "The blob is " + f.whole("digest") + "."}
	}
	return text{say: "Layer " + f.digest("diff_id") + " travelled: " + sent + " were sent, which are " + whole + " when unpacked.",
		how: "In the registry it is " + f.whole("digest") + ". That is the digest of what was sent, the other one that of the uncompressed archive."}
}
