package narrate

import "github.com/learn-containers/learn/trace/vocab"

// registryBook tells the other side of a push and a pull: that of a registry of our own.
var registryBook = []phrase{
	{kind: vocab.RegistryServe,
		tell: func(f *facts) text {
			return text{say: "Serving a registry on " + f.str("address") + ".",
				why: "It keeps everything in " + f.path("storage") + ", which is an image layout: other tools can read it as it is."}
		}},
	{kind: vocab.RegistryBlob, tell: tellRegistryBlob},
	{kind: vocab.RegistryManifest, tell: tellRegistryManifest},
}

func tellRegistryBlob(f *facts) text {
	repo, blob, size := f.str("repository"), "blob "+f.digest("digest"), f.bytes("size_bytes")
	switch f.str("act") {
	case "has":
		return text{say: "The registry has " + blob + " (" + size + ") in " + repo + " already: it need not be sent."}
	case "lacks":
		return text{say: "The registry does not have " + blob + " in " + repo + " yet.", how: "It knows " + size + " of it."}
	case "gives":
		return text{say: "The registry gives " + blob + " of " + repo + ", " + size + "."}
	case "takes":
		return text{say: "The registry takes " + blob + " for " + repo + ", " + size + ".", why: "It hashed the bytes while they came, and they have the digest that was promised."}
	case "mounts":
		return text{say: "The registry gives " + repo + " " + blob + " (" + size + ") of another repository.", why: "The bytes are there, once for all repositories: nothing is sent."}
	case "deletes":
		return text{say: "The registry takes " + blob + " from " + repo + ".", why: "Its " + size + " go with the next learn registry gc, if nobody else needs them."}
	}
	return text{say: "The registry " + f.str("act") + " " + blob + " (" + size + ") in " + repo + "."}
}

func tellRegistryManifest(f *facts) text {
	name := f.str("repository") + ", " + f.digest("reference")
	how := "It is " + f.whole("digest") + ", " + f.str("media_type") + "."
	switch f.str("act") {
	case "has":
		return text{say: "The registry has a manifest for " + name + ".", how: how}
	case "lacks":
		return text{say: "The registry has no manifest for " + name + " yet.", how: "Digest and media type, " + f.str("digest") + f.str("media_type") + ", come with a push."}
	case "gives":
		return text{say: "The registry gives the manifest of " + name + ".", how: how}
	case "takes":
		return text{say: "The registry takes the manifest of " + name + ".", why: "All that it lists is there, so whoever pulls it gets it whole.", how: how}
	case "deletes":
		return text{say: "The registry deletes " + name + ".", how: how}
	}
	return text{say: "The registry " + f.str("act") + " the manifest of " + name + ".", how: how}
}
