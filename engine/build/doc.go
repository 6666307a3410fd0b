// Package build carries out a Dockerfile: it turns each step into a cache key, takes the step's layer from the cache or makes
// it, and puts the layers and the config together to an image. For every step that it has to carry out it says why.
//
// It parses nothing (package dockerfile does), fetches nothing (package fetch and the registry client do), mounts nothing (the driver does) and
// prints nothing (a Progress does).
//
// The way of a build: input.go reads Dockerfile and context, schedule.go carries stages out side by side, step.go takes each step from the cache or
// makes it (copy.go, run.go, workdir.go, metadata.go), deliver.go writes the result. Why a step missed is in why*.go, what is kept of a build in
// chronicle.go, of a step in record.go; mounts*.go are those of RUN, remotecache*.go caches elsewhere, output*.go results elsewhere.
//
// Invariants: a key depends on content only, never on a file's times, on the order in which a folder is read, or on where
// the context lies. What a key stands for is in its record, so that any two keys can be compared. Steps that only change
// the config have no key and no record: the config is computed anew by every build, only trees are cached. A record is
// written after the layer it names is durable; a record whose layer is gone is no hit. Sizes are bytes.
package build
