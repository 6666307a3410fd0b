package build

import (
	"context"
	"errors"
	"io/fs"
	"sync"
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
	text    string // for the progress
	history string
}

// makeFunc carries a step out. A zero Layer means that the tree needed no change.
type makeFunc func(ctx context.Context, id int) (image.Layer, error)

// key begins the key of a step on the stage's tree.
func (st *stage) key(text string, inputs []Input) Key {
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
	rec, hit := s.lookUp(ctx, key)
	if hit {
		s.hits++
		trace.Fact(ctx, vocab.CacheHit, trace.String("key", key.String()), trace.String("instruction", step.key.Instruction))
		s.opts.Progress.Cached(id)
	} else {
		s.misses++
		trace.Fact(ctx, vocab.CacheMiss, trace.String("key", key.String()), trace.String("instruction", step.key.Instruction),
			trace.String("reason", st.reason(step, key)))
		rec, err = st.make(ctx, step, key, id, make)
	}
	if !hit && st.changed == "" {
		st.changed = step.in.Text
	}
	s.opts.Progress.Done(id, err)
	if err != nil {
		return outcome{}, err
	}
	s.cache.history.add(st.planned.Index, step.key.Instruction, key)
	if rec.Empty {
		st.note(step.history, true)
		return outcome{cached: hit}, nil
	}
	st.push(image.Layer{Descriptor: rec.Layer, DiffID: rec.DiffID, Size: rec.Bytes}, rec.Created)
	st.note(step.history, false)
	return outcome{cached: hit, diffID: rec.DiffID.String()}, nil
}

// lookUp finds a kept result that can be used: its layer must be there still.
func (s *session) lookUp(ctx context.Context, key digest.Digest) (Record, bool) {
	if s.opts.NoCache {
		return Record{}, false
	}
	rec, ok := s.cache.get(ctx, key)
	if !ok || rec.Empty {
		return rec, ok
	}
	size, err := s.blobs.Stat(rec.Layer.Digest)
	switch {
	case err == nil && size == rec.Layer.Size:
		return rec, true
	case err == nil, errors.Is(err, blob.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		s.cache.drop(ctx, key, "its layer "+rec.DiffID.String()+" is gone or damaged")
	}
	return Record{}, false
}

// make carries a step out and keeps its result.
func (st *stage) make(ctx context.Context, step treeStep, key digest.Digest, id int, make makeFunc) (Record, error) {
	begun := driver.Now(st.session.runtime)
	l, err := make(ctx, id)
	if err != nil {
		return Record{}, err
	}
	rec := Record{Key: step.key, Created: st.session.now().Truncate(time.Microsecond), Seconds: seconds(driver.Now(st.session.runtime).Sub(begun)), Empty: l.DiffID == ""}
	if !rec.Empty {
		rec.DiffID, rec.Chain, rec.Layer, rec.Bytes = l.DiffID, l.ChainID, l.Descriptor, l.Size
	}
	return rec, st.session.cache.put(ctx, key, rec, step.inputs)
}

// locked lets both streams of a command report at once.
type locked struct {
	mu sync.Mutex
	Progress
}

// Output implements Progress.
func (l *locked) Output(id int, stream Stream, p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Progress.Output(id, stream, p)
}
