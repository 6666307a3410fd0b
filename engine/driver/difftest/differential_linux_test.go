package difftest

import (
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/layer"
)

func TestDifferential(t *testing.T) {
	both := sides(t)
	began := time.Now()
	for n := range *sequences {
		play(t, both, *firstSeed+uint64(n))
		if t.Failed() && !*keepOn {
			break
		}
		if (n+1)%1000 == 0 {
			t.Logf("%d sequences in %s", n+1, time.Since(began).Round(time.Second))
		}
	}
}

func FuzzDifferential(f *testing.F) {
	both := sides(f)
	for seed := range uint64(10) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { play(t, both, seed) })
}

// TestScenarios plays what once differed, and what random operations come upon too seldom.
func TestScenarios(t *testing.T) {
	both := sides(t)
	dir := func(p string, x map[string]string) item {
		return item{Entry: layer.Entry{Path: p, Kind: layer.Dir, Mode: 0o755, ModTime: long(1), Xattrs: x}}
	}
	file := func(p, content string) item {
		return item{Entry: layer.Entry{Path: p, Kind: layer.File, Mode: 0o4755, Size: int64(len(content)), ModTime: long(2)}, Content: content}
	}
	link := func(kind layer.Kind, p, to string) item {
		return item{Entry: layer.Entry{Path: p, Kind: kind, Mode: 0o777, Link: to, ModTime: long(3)}}
	}
	mark := func(kind layer.Kind, p string) item { return item{Entry: layer.Entry{Path: p, Kind: kind}} }
	for name, s := range map[string]scenario{
		"a hard link in the place of the folder that holds its target": {Layers: [][]item{{file("d/f", "x"), link(layer.HardLink, "d", "d/f")}}},
		"a folder described after what is in it":                       {Layers: [][]item{{dir("b", map[string]string{"user.a": "v"})}, {file("b/f", ""), dir("b", nil)}}},
		"a whiteout of nothing":                                        {Layers: [][]item{{mark(layer.Whiteout, "c/g/f")}}, Ops: []op{{Do: doRmdir, Path: "c/g"}}},
		"a file of an opened layer grows": {Layers: [][]item{{file("b/f", "0123456789")}}, Ops: []op{
			{Do: doWrite, Path: "b/f", Off: 5, Data: "abc"}, {Do: doRemount}, {Do: doWrite, Path: "b/f", Off: 10_000, Data: "end"}}},
		"a hard link of a lower file is broken": {Layers: [][]item{{file("a", "one"), link(layer.HardLink, "b", "a"), link(layer.HardLink, "c", "a")}}, Ops: []op{
			{Do: doAppend, Path: "b", Data: "two"}, {Do: doLink, Path: "c", To: "d"}, {Do: doRemount}, {Do: doUnlink, Path: "a"}}},
		"deleted and made again as something else": {Layers: [][]item{{file("a/b/f", "x"), file("c", "y")}, {mark(layer.Opaque, "a")}}, Ops: []op{
			{Do: doUnlink, Path: "c"}, {Do: doMkdir, Path: "c", Mode: 0o700}, {Do: doRmdir, Path: "c"}, {Do: doSymlink, Path: "c", To: "a"},
			{Do: doMkdir, Path: "a/b", Mode: 0o755}, {Do: doRename, Path: "a/b", To: "a/c"}, {Do: doRename, Path: "c", To: "a/c/l"}}},
		"written after it lost its name": {Layers: [][]item{{file("f", "below")}}, Ops: []op{
			{Do: doHold, Path: "f"}, {Do: doUnlink, Path: "f"}, {Do: doHeld, Off: 3, Data: "gone"}, {Do: doCreate, Path: "f", Data: "new"}, {Do: doCut, Off: 1}, {Do: doLook},
			{Do: doRelease}}},
		"a set-group-ID folder": {Layers: [][]item{{{Entry: layer.Entry{Path: "g", Kind: layer.Dir, Mode: 0o2775, GID: 50}}}}, Ops: []op{
			{Do: doMkdir, Path: "g/d", Mode: 0o755}, {Do: doCreate, Path: "g/d/f", Mode: 0o644, GID: 7}, {Do: doNode, Path: "g/p", Kind: fsys.Pipe, Mode: 0o600}}},
	} {
		t.Run(name, func(t *testing.T) {
			s.Ops = append(s.Ops, op{Do: doLook}, op{Do: doRemount})
			if err := compare(t.Context(), both, s); err != nil {
				t.Errorf("%v\n%s", err, s)
			}
		})
	}
}

func long(year int) time.Time { return time.Date(2000+year, 1, 2, 3, 4, 5, 6, time.UTC) }
