package image

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

const (
	running = "1111111111112222"
	stopped = "3333333333334444"
)

func TestRemoveByDockersRules(t *testing.T) {
	for _, tc := range []struct {
		title    string
		names    []string
		remove   string // ID stands for the image's id
		force    bool
		uses     []Use
		want     string
		conflict string
		left     []string // names afterwards; nil if the image is gone
	}{
		{title: "one of several tags", names: []string{"a", "b"}, remove: "a", want: "U a:latest", left: []string{"b:latest"}},
		{title: "last tag", names: []string{"a"}, remove: "a", want: "U a:latest D", left: nil},
		{title: "id with one tag", names: []string{"a"}, remove: "ID", want: "U a:latest D"},
		{title: "dangling by id", remove: "ID", want: "D"},
		{title: "id with several tags", names: []string{"a", "b"}, remove: "ID",
			conflict: "conflict: unable to delete %[1]s (must be forced) - image is referenced in multiple repositories", left: []string{"a:latest", "b:latest"}},
		{title: "id with several tags, forced", names: []string{"a", "b"}, remove: "ID", force: true, want: "U a:latest U b:latest D"},
		{title: "tag of a used image", names: []string{"a"}, remove: "a", uses: []Use{{stopped, false}},
			conflict: `conflict: unable to remove repository reference "a" (must force) - container 333333333333 is using its referenced image %[1]s`, left: []string{"a:latest"}},
		{title: "tag of a used image, forced", names: []string{"a"}, remove: "a", force: true, uses: []Use{{stopped, false}}, want: "U a:latest D"},
		{title: "one of several tags of a running image", names: []string{"a", "b"}, remove: "a", uses: []Use{{running, true}}, want: "U a:latest", left: []string{"b:latest"}},
		{title: "last tag of a running image, forced", names: []string{"a"}, remove: "a", force: true, uses: []Use{{running, true}}, want: "U a:latest", left: []string{}},
		{title: "id of a running image, forced", names: []string{"a"}, remove: "ID", force: true, uses: []Use{{stopped, false}, {running, true}},
			conflict: "conflict: unable to delete %[1]s (cannot be forced) - image is being used by running container 111111111111", left: []string{"a:latest"}},
		{title: "id of a stopped image", names: []string{"a"}, remove: "ID", uses: []Use{{stopped, false}},
			conflict: "conflict: unable to delete %[1]s (must be forced) - image is being used by stopped container 333333333333", left: []string{"a:latest"}},
	} {
		t.Run(tc.title, func(t *testing.T) {
			w := newWorkshop(t)
			img := w.make([]string{"x"}, tc.names...)
			name := tc.remove
			if name == "ID" {
				name = oci.ShortID(img.ID)
			}
			removed, _, err := w.Remove(w.ctx, name, tc.force, func(id digest.Digest) []Use {
				if id != img.ID {
					t.Errorf("asked for the use of %s", id)
				}
				return tc.uses
			})
			w.compareRemovals(removed, img, tc.want)
			if tc.conflict != "" {
				var conflict *ConflictError
				if want := fmt.Sprintf(tc.conflict, oci.ShortID(img.ID)); !errors.As(err, &conflict) || err.Error() != want {
					t.Errorf("error = %v\nwant    %s", err, want)
				}
			} else if err != nil {
				t.Error(err)
			}
			after, err := w.Resolve(w.ctx, string(img.ID))
			if gone := IsNotFound(err); gone != (tc.left == nil) {
				t.Errorf("gone is %v", gone)
			}
			if len(tc.left) > 0 {
				if diff := cmp.Diff(tc.left, w.names(after)); diff != "" {
					t.Error(diff)
				}
			}
			w.healthy()
		})
	}
}

func (w *workshop) compareRemovals(removed []Removal, img Image, want string) {
	w.Helper()
	var got string
	for _, r := range removed {
		if r.Untagged != "" {
			got += "U " + r.Untagged + " "
		}
		if r.Deleted != "" {
			got += "D "
			if r.Deleted != img.ID {
				w.Errorf("deleted %s", r.Deleted)
			}
		}
	}
	if want != "" {
		want += " "
	}
	if got != want {
		w.Errorf("removals %q, want %q", got, want)
	}
}

func unused(digest.Digest) []Use { return nil }

func TestRemoveUnknown(t *testing.T) {
	w := newWorkshop(t)
	if _, _, err := w.Remove(w.ctx, "foo", false, unused); err == nil || err.Error() != "No such image: foo:latest" {
		t.Error(err)
	}
}

func TestCollectKeepsWhatIsReferredTo(t *testing.T) {
	w := newWorkshop(t)
	a := w.make([]string{"shared", "a"}, "a")
	b := w.make([]string{"shared", "b"}, "b")
	c := w.make([]string{"c1", "c2"}, "c")
	for _, img := range []Image{a, b, c} {
		if _, err := w.Unpack(w.ctx, img); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "c"} {
		if _, _, err := w.Remove(w.ctx, name, false, unused); err != nil {
			t.Fatal(err)
		}
	}
	// A container still stands on c.
	w.Keep = func(context.Context) (Roots, error) {
		return Roots{Chains: oci.ChainIDs(c.DiffIDs()), Blobs: []digest.Digest{c.ID}}, nil
	}
	report, err := w.Collect(w.ctx, Roots{})
	if err != nil || report.Blobs != 3+1+2 || report.Chains != 1 || report.FreedBytes == 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if w.mem.Has(a.Layers[1].ChainID) || !w.mem.Has(b.Layers[1].ChainID) || !w.mem.Has(c.Layers[1].ChainID) {
		t.Error("the wrong chains went")
	}
	w.Keep = nil
	w.mem.dropped = nil
	if _, err := w.Collect(w.ctx, Roots{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]digest.Digest{c.Layers[1].ChainID, c.Layers[0].ChainID}, w.mem.dropped); diff != "" {
		t.Errorf("a parent went before its child: %s", diff)
	}
	if _, err := w.Resolve(w.ctx, "b"); err != nil {
		t.Error(err)
	}
	w.healthy()
}

func TestCollectLeavesOperationsAlone(t *testing.T) {
	w := newWorkshop(t)
	unlock, err := w.home.Lock(w.ctx, "gc", false)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if report, err := w.Collect(w.ctx, Roots{}); err != nil || !report.Busy {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestCollectTrustsNoDamagedRecord(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a"}, "a")
	damage(t, w.blobs.Path(img.Manifest.Digest))
	if _, err := w.Collect(w.ctx, Roots{}); err == nil {
		t.Error("collection goes on though a manifest is damaged")
	}
	if _, err := w.blobs.Stat(img.Layers[0].Descriptor.Digest); err != nil {
		t.Error("and removed the layer")
	}
}

func TestPrune(t *testing.T) {
	w := newWorkshop(t)
	w.Keep = func(context.Context) (Roots, error) { return Roots{}, nil }
	old := w.make([]string{"old"}, "app")
	used := w.make([]string{"used"}, "app")
	w.make([]string{"new"}, "app")
	inUse := func(id digest.Digest) bool { return id == used.ID }
	report, err := w.Prune(w.ctx, PruneOptions{InUse: inUse})
	if err != nil || len(report.Removed) != 2 || report.Removed[0].Deleted != old.ID || report.Removed[1].Deleted != old.Layers[0].ChainID || report.FreedBytes == 0 {
		t.Errorf("%+v, %v", report, err)
	}
	report, err = w.Prune(w.ctx, PruneOptions{All: true, InUse: inUse})
	if err != nil || len(report.Removed) != 3 || report.Removed[0].Untagged != "app:latest" {
		t.Errorf("%+v, %v", report, err)
	}
	if list, _ := w.List(w.ctx); len(list) != 1 || list[0].ID != used.ID {
		t.Errorf("left: %v", list)
	}
	w.healthy()
}
