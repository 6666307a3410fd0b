package build

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
)

// treeStep is a step that makes a tree, and so has a key.
type treeStep struct {
	in      dockerfile.Instruction
	key     Key
	inputs  []Input
	unknown bool   // a dry run can't know the inputs
	apart   bool   // the tree below is no part of the key
	from    int    // number of the stage that the inputs come from, or -1
	text    string // for the progress
	history string
	begun   time.Time // work on it, if that was before its key was known
}

// makeFunc carries a step out. A zero Layer means that the tree needed no change.
type makeFunc func(ctx context.Context, id int) (image.Layer, error)

// key begins the key of a step on the stage's tree.
func (st *stage) key(text string) Key {
	k := Key{Parent: st.chain(), Instruction: text}
	if e := st.session.opts.Epoch; e != nil {
		k.Epoch = e.Unix()
	}
	return k
}

// cached takes a step's layer from the cache, or makes it and keeps it.
func (st *stage) cached(ctx context.Context, step treeStep, make makeFunc) (outcome, error) {
	key, err := step.key.Digest()
	if err != nil {
		return outcome{}, err
	}
	s := st.session
	id := st.show(step.text)
	give, err := s.turns.take(ctx, key.String())
	if err != nil {
		s.display.Done(id, err)
		return outcome{}, err
	}
	defer give()
	rec, hit := st.lookUp(ctx, step, key)
	note := st.note(step, key)
	if hit {
		st.hit(ctx, step, key, rec)
		s.display.Cached(id)
	} else {
		st.miss(ctx, step, &note)
		if !s.opts.DryRun {
			rec, err = st.make(ctx, step, key, id, make)
		}
	}
	s.display.Done(id, err)
	note.took(rec, hit, err)
	var out outcome
	if err == nil {
		if out = st.take(step, rec, hit); !st.unknown {
			note.Chain = st.chain()
		}
	}
	s.story.add(note)
	return out, err
}

// hit accounts for a step that is taken from the cache.
func (st *stage) hit(ctx context.Context, step treeStep, key digest.Digest, rec Record) {
	s := st.session
	s.mu.Lock()
	s.hits++
	s.saved.Seconds += rec.Seconds
	s.saved.Bytes += rec.Bytes
	s.mu.Unlock()
	trace.Fact(ctx, vocab.CacheHit, trace.String("key", key.String()), trace.String("instruction", step.key.Instruction),
		trace.String("build", rec.Build), trace.Int("size_bytes", rec.Bytes))
}

// miss accounts for a step that has to be carried out.
func (st *stage) miss(ctx context.Context, step treeStep, note *StepRecord) {
	s := st.session
	s.mu.Lock()
	s.misses++
	s.mu.Unlock()
	reason := st.reason(step, note)
	note.Reason = &reason
	trace.Fact(ctx, vocab.CacheMiss, missAttrs(note)...)
	if st.changed == nil {
		st.changed = note.place()
	}
}

// take puts the step's result on the stage.
func (st *stage) take(step treeStep, rec Record, hit bool) outcome {
	switch {
	case !hit && st.session.opts.DryRun:
		st.unknown = true
		return outcome{}
	case rec.Empty:
		st.history(step.history, true)
		return outcome{cached: hit}
	}
	st.push(image.Layer{Descriptor: rec.Layer, DiffID: rec.DiffID, Size: rec.Bytes}, rec.Created)
	st.history(step.history, false)
	return outcome{cached: hit, diffID: rec.DiffID.String()}
}

// lookUp finds a kept result that can be used: its layer must be there still.
func (st *stage) lookUp(ctx context.Context, step treeStep, key digest.Digest) (Record, bool) {
	s := st.session
	if st.vague(step) {
		return Record{}, false // the key is not that of what would be looked up
	}
	s.mu.Lock()
	rec, ok := s.made[key]
	s.mu.Unlock()
	if ok {
		return rec, true // another stage has just carried out the same step
	}
	if st.fresh {
		return Record{}, false
	}
	if s.opts.DryRun {
		return st.peek(key)
	}
	rec, ok = s.cache.get(ctx, key)
	if !ok {
		return s.lookElsewhere(ctx, key)
	}
	if rec.Empty {
		return rec, true
	}
	size, err := s.blobs.Stat(rec.Layer.Digest)
	switch {
	case err == nil && size == rec.Layer.Size:
		s.cache.touch(key)
		return rec, true
	case err == nil, errors.Is(err, blob.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		s.cache.drop(ctx, key, "its layer "+rec.DiffID.String()+" is gone or damaged")
	}
	return Record{}, false
}

// vague tells that a dry run can't know the key of a step: it depends on what was not carried out.
func (st *stage) vague(step treeStep) bool { return step.unknown || st.unknown && !step.apart }

// peek is lookUp for a dry run: it changes nothing, also not what is broken.
func (st *stage) peek(key digest.Digest) (Record, bool) {
	rec, err := st.session.cache.read(key)
	if err != nil || rec.Empty {
		return rec, err == nil
	}
	size, err := st.session.blobs.Stat(rec.Layer.Digest)
	return rec, err == nil && size == rec.Layer.Size
}

// make carries a step out and keeps its result.
func (st *stage) make(ctx context.Context, step treeStep, key digest.Digest, id int, make makeFunc) (Record, error) {
	s := st.session
	begun := step.begun
	if begun.IsZero() {
		begun = driver.Now(s.runtime)
	}
	l, err := make(ctx, id)
	if err != nil {
		return Record{}, err
	}
	rec := Record{Key: step.key, Created: s.now().Truncate(time.Microsecond), Seconds: seconds(driver.Now(s.runtime).Sub(begun)), Empty: l.DiffID == "", Build: s.story.now.ID}
	if !rec.Empty {
		rec.DiffID, rec.Chain, rec.Layer, rec.Bytes = l.DiffID, l.ChainID, l.Descriptor, l.Size
	}
	if err := s.cache.put(ctx, key, rec, step.inputs); err != nil {
		return rec, err
	}
	s.mu.Lock()
	s.made[key] = rec
	s.mu.Unlock()
	return rec, nil
}
