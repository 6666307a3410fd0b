package difftest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

// difference is where two sides first part, nil if they don't. Its text shows the first side's as removed, the other's as added.
type difference struct{ where, text string }

func (d *difference) Error() string { return d.where + ":\n" + d.text }

func differ(where, first, second string) error {
	if first == second {
		return nil
	}
	return &difference{where, cmp.Diff(strings.Split(first, "\n"), strings.Split(second, "\n"))}
}

// trial plays one scenario on both sides.
type trial struct {
	ctx   context.Context
	sides [2]*side
	made  []digest.Digest // chains, lowest first
}

// compare plays s on both sides and gives the first *difference, or whatever else went wrong. Nothing of it stays.
func compare(ctx context.Context, sides [2]*side, s scenario) error {
	t := &trial{ctx: ctx, sides: sides}
	return errors.Join(t.play(s), t.clean())
}

const key = "trial"

func (t *trial) clean() error {
	var errs []error
	for _, s := range t.sides {
		errs = append(errs, s.snapshots.Remove(t.ctx, key))
		for i := len(t.made) - 1; i >= 0; i-- {
			errs = append(errs, s.layers.Drop(t.ctx, t.made[i]))
		}
	}
	return errors.Join(errs...)
}

func (t *trial) play(s scenario) error {
	chain, err := t.stack(s.Layers)
	if err != nil {
		return err
	}
	for _, side := range t.sides {
		if err := side.snapshots.Prepare(t.ctx, key, chain); err != nil {
			return fmt.Errorf("%s: %w", side.name, err)
		}
	}
	if err := t.operate(s.Ops); err != nil {
		return err
	}
	return t.harvest(chain)
}

// stack applies the layers. One that is refused by both sides is left out.
func (t *trial) stack(layers [][]item) (chain digest.Digest, err error) {
	for n, items := range layers {
		data, err := archive(items)
		if err != nil {
			return "", err
		}
		next := digest.FromString(chain.String() + " " + digest.FromBytes(data).String())
		t.made = append(t.made, next)
		refused, err := t.apply(fmt.Sprintf("layer %d", n), next, chain, data)
		if err != nil {
			return "", err
		}
		if !refused {
			chain = next
		}
	}
	return chain, nil
}

// apply applies an archive on both sides and compares the trees.
func (t *trial) apply(what string, chain, parent digest.Digest, data []byte) (refused bool, err error) {
	var errs [2]error
	for i, s := range t.sides {
		errs[i] = s.apply(t.ctx, chain, parent, data)
	}
	if (errs[0] == nil) != (errs[1] == nil) {
		return false, &difference{"apply " + what, fmt.Sprintf("%s: %v\n%s: %v", t.sides[0].name, errs[0], t.sides[1].name, errs[1])}
	}
	if errs[0] != nil {
		return true, nil
	}
	return false, t.sameTrees(what, func(s *side) ([]byte, error) { return s.exportChain(t.ctx, chain) })
}

// sameTrees compares archives of whole trees.
func (t *trial) sameTrees(what string, export func(*side) ([]byte, error)) error {
	var data [2][]byte
	for i, s := range t.sides {
		var err error
		if data[i], err = export(s); err != nil {
			return err
		}
	}
	return sameArchive("tree of "+what, data[0], data[1])
}

func sameArchive(what string, a, b []byte) error {
	if bytes.Equal(a, b) {
		return nil
	}
	if err := differ(what, listing(a), listing(b)); err != nil {
		return err
	}
	return &difference{what, "the same entries, but other bytes"}
}

// operate does all operations on both sides, one by one, and compares what comes of each and of all.
func (t *trial) operate(ops []op) (err error) {
	var hands [2]hand
	for i, s := range t.sides {
		hands[i].side = s
		if err := hands[i].start(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, hands[i].stop()) }()
	}
	for n, o := range append(ops, op{Do: doLook}) {
		if err := differ(fmt.Sprintf("operation %d, %s", n, o), hands[0].do(o), hands[1].do(o)); err != nil {
			return err
		}
	}
	return nil
}

// hand works on the live tree of one side.
type hand struct {
	performer
	side *side
	done func() error
}

func (h *hand) start() (err error) {
	if h.tree, h.done, err = h.side.open(key); err != nil {
		return fmt.Errorf("%s: %w", h.side.name, err)
	}
	return nil
}

// stop ends the live tree; without one it does nothing.
func (h *hand) stop() error {
	if h.done == nil {
		return nil
	}
	done := h.done
	h.done = nil
	return errors.Join(h.finish(), done())
}

// do does what a performer does, and what takes ending the tree and opening it again.
func (h *hand) do(o op) string {
	if o.Do != doRemount {
		return h.performer.do(o)
	}
	again := func() error { return errors.Join(h.stop(), h.start()) }
	if h.side.steady {
		again = h.finish
	}
	if err := again(); err != nil {
		return h.side.name + ": " + err.Error()
	}
	return "ok"
}

// harvest compares what is made of the changes: lists, archives, and layers committed and applied.
func (t *trial) harvest(chain digest.Digest) error {
	var data [2][]byte
	var words [2]string
	for i, s := range t.sides {
		var err error
		if data[i], words[i], err = s.diff(t.ctx, key); err != nil {
			return err
		}
	}
	if err := errors.Join(differ("changes", words[0], words[1]), sameArchive("archive of the changes", data[0], data[1])); err != nil {
		return err
	}
	if err := t.sameTrees("the writable layer", func(s *side) ([]byte, error) { return s.exportKey(t.ctx, key) }); err != nil {
		return err
	}
	applied := digest.FromString("applied " + chain.String() + digest.FromBytes(data[0]).String())
	committed := digest.FromString("committed " + applied.String())
	t.made = append(t.made, applied, committed)
	if _, err := t.apply("the changes", applied, chain, data[0]); err != nil {
		return err
	}
	for _, s := range t.sides {
		if err := s.snapshots.Commit(t.ctx, key, committed, digest.FromBytes(data[0])); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return t.sameTrees("the committed layer", func(s *side) ([]byte, error) { return s.exportChain(t.ctx, committed) })
}
