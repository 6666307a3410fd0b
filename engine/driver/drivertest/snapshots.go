package drivertest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

func testSnapshots(t *testing.T, l *lab) {
	l.tests(t, keyTests(), freshKeys(), archiveTests(), commitTests(), committedLayers())
}

func keyTests() []test {
	return []test{
		{"a writable layer is listed until it is removed", func(t *testing.T, l *lab) {
			key := l.prepare(t, "")
			keys, err := l.Snapshots.List(t.Context())
			if err != nil || !slices.Contains(keys, key) {
				t.Errorf("%v, %v", keys, err)
			}
			must(t, l.Snapshots.Remove(t.Context(), key))
			keys, err = l.Snapshots.List(t.Context())
			if err != nil || slices.Contains(keys, key) {
				t.Errorf("removed: %v, %v", keys, err)
			}
		}},
		{"removing what is not there is no error", func(t *testing.T, l *lab) {
			must(t, l.Snapshots.Remove(t.Context(), l.key()))
		}},
		{"a key that is taken is ErrExists", func(t *testing.T, l *lab) {
			key := l.prepare(t, l.Base)
			for _, chain := range []digest.Digest{l.Base, ""} {
				if err := l.Snapshots.Prepare(t.Context(), key, chain); !errors.Is(err, driver.ErrExists) {
					t.Errorf("on %q: %v", chain, err)
				}
			}
		}},
		{"a chain that is not here is ErrNotFound", func(t *testing.T, l *lab) {
			key := l.key()
			if err := l.Snapshots.Prepare(t.Context(), key, digest.FromString("nowhere")); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("error %v", err)
			}
			if keys, err := l.Snapshots.List(t.Context()); err != nil || slices.Contains(keys, key) {
				t.Errorf("it is listed: %v", err)
			}
		}},
		{"a key that is a path is refused", func(t *testing.T, l *lab) {
			for _, key := range []string{"", ".", "..", "../x", "a/b", "/x", ".hidden", "nul\x00"} {
				if err := l.Snapshots.Prepare(t.Context(), key, ""); err == nil {
					t.Errorf("%q: no error", key)
				}
			}
		}},
	}
}

func freshKeys() []test {
	return []test{
		{"a removed key may be prepared anew, and is empty", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("echo x > /f")...)
			must(t, l.runOn(t, spec).Delete(t.Context()))
			must(t, l.Snapshots.Remove(t.Context(), spec.Key))
			must(t, l.Snapshots.Prepare(t.Context(), spec.Key, l.Base))
			if got := l.changes(t, spec.Key); got != nil {
				t.Errorf("changes %q", got)
			}
		}},
		{"a volatile writable layer is like any other", func(t *testing.T, l *lab) {
			key := l.key()
			must(t, driver.PrepareVolatile(t.Context(), l.Snapshots, key, l.Base))
			spec := l.specOn(t, key, script("echo x > /f")...)
			must(t, l.runOn(t, spec).Delete(t.Context()))
			if diff := cmp.Diff([]string{"A /f"}, l.changes(t, key)); diff != "" {
				t.Error(diff)
			}
			must(t, l.Snapshots.Remove(t.Context(), key))
		}},
		{"an empty writable layer on nothing has the root and no names", func(t *testing.T, l *lab) {
			key := l.prepare(t, "")
			if lines := listing(t, l.exportKey(t, key), everything); lines != nil || l.changes(t, key) != nil {
				t.Errorf("%q", lines)
			}
		}},
	}
}

func archiveTests() []test {
	return []test{
		{"diff, changes and commit of what is not there are ErrNotFound", func(t *testing.T, l *lab) {
			key, id := l.key(), digest.FromString("x")
			_, diff := l.Snapshots.Diff(t.Context(), key, new(bytes.Buffer))
			_, changes := l.Snapshots.Changes(t.Context(), key)
			commit := l.Snapshots.Commit(t.Context(), key, id, id)
			for _, err := range []error{diff, changes, commit} {
				if !errors.Is(err, driver.ErrNotFound) {
					t.Errorf("error %v", err)
				}
			}
		}},
		{"nothing changed: the archive is empty, and its digest is that of an empty archive", func(t *testing.T, l *lab) {
			data, stats := l.archiveOf(t, l.prepare(t, l.Base))
			if diff := cmp.Diff(driver.DiffStats{}, stats); diff != "" || !bytes.Equal(data, archive(t)) {
				t.Errorf("%d bytes, %s", len(data), diff)
			}
		}},
		{"the order of writing does not show in the archive", func(t *testing.T, l *lab) {
			times := "; touch -d @1000000000 /w /w/a /w/b /w/c"
			a := l.spec(t, script("mkdir /w; echo 1 > /w/a; echo 2 > /w/b; ln -s x /w/c"+times)...)
			b := l.spec(t, script("mkdir /w; ln -s x /w/c; echo 2 > /w/b; echo 1 > /w/x; mv /w/x /w/a"+times)...)
			names := [][]string{}
			for _, spec := range []driver.Spec{a, b} {
				l.runOn(t, spec)
				data, _ := l.archiveOf(t, spec.Key)
				names = append(names, listing(t, data, everything))
			}
			if diff := cmp.Diff(names[0], names[1]); diff != "" {
				t.Error(diff)
			}
		}},
		{"what a reader of the archive refuses is an error of Diff", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("echo x > /f")...)
			l.runOn(t, spec)
			if _, err := l.Snapshots.Diff(t.Context(), spec.Key, refusing{}); !errors.Is(err, errFull) {
				t.Errorf("error %v", err)
			}
		}},
	}
}

var errFull = errors.New("disk full")

type refusing struct{}

func (refusing) Write([]byte) (int, error) { return 0, errFull }

// runOn runs a container to its end, expects that it exits with 0 and says nothing on standard error, and gives it.
func (l *lab) runOn(t testing.TB, spec driver.Spec) *box {
	t.Helper()
	b := l.start(t, spec)
	if r := b.wait(); r.Code != 0 || r.errs != "" {
		t.Fatalf("exit %d, errors %q", r.Code, r.errs)
	}
	return b
}

// commit turns the writable layer key on parent into a layer, as the engine does, and gives its chain.
func (l *lab) commit(t testing.TB, key string, parent digest.Digest) digest.Digest {
	t.Helper()
	data, _ := l.archiveOf(t, key)
	diffID := digest.FromBytes(data)
	chain := chainOf(parent, diffID)
	must(t, l.Snapshots.Commit(t.Context(), key, chain, diffID))
	return chain
}

// written runs a script on top of parent, removes the container and gives the writable layer.
func (l *lab) written(t testing.TB, parent digest.Digest, text string) string {
	t.Helper()
	key := l.prepare(t, parent)
	must(t, l.runOn(t, l.specOn(t, key, script(text)...)).Delete(t.Context()))
	return key
}

func commitTests() []test {
	return []test{
		{"a committed layer is there and its key is gone", func(t *testing.T, l *lab) {
			key := l.written(t, l.Base, "echo committed > /c1")
			chain := l.commit(t, key, l.Base)
			keys, err := l.Snapshots.List(t.Context())
			if err != nil || slices.Contains(keys, key) || !l.Layers.Has(chain) {
				t.Errorf("keys %v, %v; has %v", keys, err, l.Layers.Has(chain))
			}
		}},
		{"the tree is the same before and after", func(t *testing.T, l *lab) {
			key := l.written(t, l.Base, "mkdir /c2; echo x > /c2/f; chmod 4711 /c2/f; chown 5:6 /c2; ln /c2/f /c2/g; ln -s f /c2/l; rm /etc/issue; rm -r /srv; mkdir /srv; touch /srv/new; mkfifo /c2/p")
			before := l.exportKey(t, key)
			after := l.exportChain(t, l.commit(t, key, l.Base))
			if diff := cmp.Diff(listing(t, before, everything), listing(t, after, everything)); diff != "" || !bytes.Equal(before, after) {
				t.Errorf("(-before +after):\n%s", diff)
			}
		}},
		{"the archive, applied elsewhere, gives the same tree", func(t *testing.T, l *lab) {
			key := l.written(t, l.Base, "mkdir /c3 /c3/d; echo x > /c3/d/f; rm -r /var/log; mkdir -p /var/log/deep; rm -r /home; echo file > /home; ln -s /etc /opt/etc; chmod 700 /mnt")
			data, _ := l.archiveOf(t, key)
			diffID := digest.FromBytes(data)
			chain := chainOf(l.Base, diffID)
			before := l.exportKey(t, key)
			must(t, l.Layers.Apply(t.Context(), chain, l.Base, diffID, bytes.NewReader(data)))
			after := l.exportChain(t, chain)
			if diff := cmp.Diff(listing(t, before, everything), listing(t, after, everything)); diff != "" || !bytes.Equal(before, after) {
				t.Errorf("(-written +applied):\n%s", diff)
			}
		}},
		{"a chain that is there already makes commit a removal", func(t *testing.T, l *lab) {
			times := "; touch -d @1000000000 /c7 /"
			a, b := l.written(t, l.Base, "echo same > /c7"+times), l.written(t, l.Base, "echo same > /c7"+times)
			one, two := l.commit(t, a, l.Base), l.commit(t, b, l.Base)
			keys, err := l.Snapshots.List(t.Context())
			if err != nil || one != two || slices.Contains(keys, b) {
				t.Errorf("chains %s and %s, keys %v, %v", one, two, keys, err)
			}
		}},
		{"a commit under a chain that is no digest is refused and leaves the key", func(t *testing.T, l *lab) {
			key := l.prepare(t, l.Base)
			if err := l.Snapshots.Commit(t.Context(), key, "nonsense", "nonsense"); err == nil {
				t.Error("no error")
			}
			if keys, err := l.Snapshots.List(t.Context()); err != nil || !slices.Contains(keys, key) {
				t.Errorf("keys %v, %v", keys, err)
			}
		}},
	}
}

func committedLayers() []test {
	return []test{
		{"an empty commit is a layer on which containers run", func(t *testing.T, l *lab) {
			parent := l.apply(t, l.Base, file("for-empty-commit", "x"))
			chain := l.commit(t, l.prepare(t, parent), parent)
			if r := l.run(t, l.specOn(t, l.prepare(t, chain), "cat", "/for-empty-commit")); r.out != "x" {
				t.Errorf("%+v", r)
			}
		}},
		{"a container on a committed layer sees it and changes its own only", func(t *testing.T, l *lab) {
			chain := l.commit(t, l.written(t, l.Base, "mkdir /c5; echo low > /c5/f"), l.Base)
			a, b := l.written(t, chain, "echo high > /c5/f"), l.prepare(t, chain)
			if r := l.run(t, l.specOn(t, b, "cat", "/c5/f")); r.out != "low\n" {
				t.Errorf("%+v", r)
			}
			if diff := cmp.Diff([]string{"C /c5", "C /c5/f"}, l.changes(t, a)); diff != "" {
				t.Error(diff)
			}
		}},
		{"commits stack: whiteouts of a committed layer hide the one below", func(t *testing.T, l *lab) {
			one := l.commit(t, l.written(t, l.Base, "mkdir /c6; echo 1 > /c6/a; echo 2 > /c6/b"), l.Base)
			two := l.commit(t, l.written(t, one, "rm /c6/a; echo 3 > /c6/c"), one)
			if r := l.run(t, l.specOn(t, l.prepare(t, two), "ls", "/c6")); r.out != "b\nc\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"removing one writable layer leaves others on the chain alone", func(t *testing.T, l *lab) {
			a, b := l.written(t, l.Base, "echo a > /a"), l.written(t, l.Base, "echo b > /b")
			must(t, l.Snapshots.Remove(t.Context(), a))
			if r := l.run(t, l.specOn(t, b, "cat", "/b", "/etc/issue")); r.out != "b\nlearn base\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"a container on a hundred layers sees the uppermost", func(t *testing.T, l *lab) {
			chain := l.stack(t, l.Base, hundredLayers()...)
			key := l.prepare(t, chain)
			if r := l.run(t, l.specOn(t, key, script("cat /last; ls /f* | wc -l; rm /f50; ls / | grep -c f")...)); strings.Join(strings.Fields(r.out), " ") != "99100 99" {
				t.Errorf("%+v", r)
			}
			if diff := cmp.Diff([]string{"D /f50"}, l.changes(t, key)); diff != "" {
				t.Error(diff)
			}
		}},
	}
}
