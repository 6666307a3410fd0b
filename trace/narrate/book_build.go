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
			t := text{say: "Cached: the same step was carried out before on the same input, so its result is used again.",
				why: "Nothing that the step depends on has changed: its words, the variables it sees, the tree below it, the files it reads.",
				how: "Key " + f.whole("key") + " for " + f.str("instruction") + "."}
			if f.has("build") {
				t.how += " Build " + f.str("build") + " made it, a layer of " + f.bytes("size_bytes") + "."
			}
			return t
		}},
	{kind: vocab.CacheMiss, tell: missed},
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

// missWhy is what a kind of miss teaches.
var missWhy = map[string]string{
	"never":       "What was never carried out has no result that could be used.",
	"forced":      "Its result is kept again for the builds that follow.",
	"gone":        "Kept results go when the cache is pruned or grows beyond its limit.",
	"failed":      "Only a step that worked leaves a result.",
	"instruction": "The text of an instruction is part of its key: another text is another step.",
	"arg":         "Every RUN sees the build arguments declared above it, so their values are part of its key, whether it uses them or not.",
	"env":         "Every RUN sees the environment set above it, so it is part of its key, whether it uses it or not.",
	"setting":     "Whatever a step could notice is part of its key.",
	"mount":       "What is mounted while a step runs is part of its key.",
	"files":       "Content, mode and owner of files are part of the key; times are not.",
	"parent":      "The tree below a step is part of its key, so a change takes the steps above it along, unless it gave the same tree.",
	"base":        "A name such as latest can mean another image than before; every step on it starts from another tree then.",
}

func missed(f *facts) text {
	t := text{say: "Not in the cache, so it has to be carried out.", how: "Key " + f.whole("key") + " for " + f.str("instruction") + "."}
	if f.has("reason") {
		t.say = "Not in the cache: " + sentence(f.str("reason"))
	}
	t.why = missWhy[f.str("reason_kind")]
	if f.has("nearest") {
		t.how += " The nearest earlier key is " + f.whole("nearest") + "."
	}
	if f.has("cause") {
		t.how += " It began with " + f.str("cause") + "."
	}
	if n := f.num("changed_files"); n > 0 {
		t.how += " " + f.count("changed_files", "file differs", "files differ") + ": " + f.list("changes") + "."
	}
	return t
}
