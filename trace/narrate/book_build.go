package narrate

import "github.com/learn-containers/learn/trace/vocab"

// buildBook tells of builds and their cache.
var buildBook = []phrase{
	{kind: vocab.Build, doing: "building the image",
		tell: func(f *facts) text {
			return text{say: "Building an image as " + f.path("dockerfile") + " says.",
				why: "Files to copy come from the build context, the folder " + f.path("context") + "."}
		},
		done: func(f *facts) text {
			return text{say: "Built image " + f.image("image") + ": " + f.count("misses", "step") + " carried out, " + f.number("hits") + " taken from the cache."}
		}},
	{kind: vocab.BuildContext, from: Full,
		tell: func(f *facts) text {
			return text{say: "The build context holds " + f.count("files", "file or folder", "files and folders") + ", " + f.bytes("size_bytes") + " in all; " +
				f.count("ignored", "name was", "names were") + " left out by .dockerignore.",
				why: "COPY can take files from here and from nowhere else."}
		}},
	{kind: vocab.BuildStep, doing: "this step",
		tell: func(f *facts) text {
			return text{say: "Step " + f.number("step") + " of " + f.number("steps") + ": " + f.str("instruction")}
		},
		done: stepDone},
	{kind: vocab.CacheHit,
		tell: func(f *facts) text {
			return text{say: "Cached: the same step was carried out before on the same input, so its result is used again.",
				how: "Key " + f.whole("key") + " for " + f.str("instruction") + "."}
		}},
	{kind: vocab.CacheMiss,
		tell: func(f *facts) text {
			t := text{say: "Not in the cache, so it has to be carried out.",
				why: "The steps after it that build on its result can't come from the cache either, unless the result is the same as before.",
				how: "Key " + f.whole("key") + " for " + f.str("instruction") + "."}
			if f.has("reason") {
				t.say = "Not in the cache: " + sentence(f.str("reason"))
			}
			return t
		}},
	{kind: vocab.CacheStore, from: Full,
		tell: func(f *facts) text {
			result := "It added no layer, only settings."
			if f.has("diff_id") {
				result = "It is layer " + f.digest("diff_id") + "."
			}
			return text{say: "Kept the step's result in the build cache. " + result,
				why: "The key is a digest of everything the step depends on; the same input finds it again.",
				how: "Key " + f.whole("key") + "."}
		}},
	{kind: vocab.CacheRemove, from: Full,
		tell: func(f *facts) text {
			return text{say: "Dropped a result from the build cache: " + sentence(f.str("reason")), how: "Key " + f.whole("key") + "."}
		}},
}

func stepDone(f *facts) text {
	cached := f.flag("cached")
	if !f.has("diff_id") {
		return text{min: Full, say: "This step adds no layer of its own."}
	}
	say := "The step added layer " + f.digest("diff_id") + "."
	if cached {
		say = "The step's layer is " + f.digest("diff_id") + ", the one from the cache."
	}
	return text{min: Full, say: say}
}
