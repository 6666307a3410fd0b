package world

import (
	"path"
	"slices"
	"strings"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// apply changes the folder's world as e says. Kinds that are not here change no state.
func (f *folder) apply(e trace.Event) {
	f.w.Seq, f.w.At = e.Seq, e.At
	switch e.Kind {
	case vocab.EngineOpen:
		f.w.Home, f.w.Driver = e.Attr("home").Str(), e.Attr("driver").Str()
	case vocab.RecoverRemove:
		f.recovered(e.Attr("what").Str(), e.Attr("path").Str())
	case vocab.BlobWrite, vocab.BlobRemove:
		f.applyBlob(e)
	case vocab.ImageCreate, vocab.ImageTag, vocab.ImageUntag, vocab.ImageRemove:
		f.applyImage(e)
	case vocab.LayerApply, vocab.LayerCommit:
		f.applyLayerStep(e)
	case vocab.LayerReuse:
		f.addChain(Chain{ID: e.Attr("chain_id").Str(), DiffID: e.Attr("diff_id").Str()})
	case vocab.LayerRemove:
		f.removeChain(e.Attr("chain_id").Str())
	case vocab.SnapshotPrepare:
		f.prepareSnapshot(e.Attr("key").Str(), e.Attr("chain_id").Str())
	case vocab.SnapshotRemove:
		f.removeSnapshot(e.Attr("key").Str())
	case vocab.CowCopyUp, vocab.CowCreate, vocab.CowWrite, vocab.CowRemove, vocab.CowWhiteout, vocab.CowOpaque:
		f.applyCow(e)
	case vocab.ContainerCreate, vocab.ContainerStart, vocab.ContainerState, vocab.ContainerRemove, vocab.ContainerRename, vocab.HealthState:
		f.applyContainer(e)
	case vocab.VolumeCreate, vocab.VolumeFill, vocab.VolumeMount, vocab.VolumeUnmount, vocab.VolumeWrite, vocab.VolumeRemove:
		f.applyVolume(e)
	case vocab.NetworkCreate, vocab.NetworkLease, vocab.NetworkRelease, vocab.NetworkRemove, vocab.NetBridge, vocab.NetBridgeGone, vocab.NetCable, vocab.NetUnplug:
		f.applyNetwork(e)
	case vocab.NetPublish, vocab.NetRefused, vocab.NetLookup:
		f.applyPort(e)
	case vocab.CacheStore, vocab.CacheRemove:
		f.applyCache(e)
	case vocab.RegistryManifest:
		f.applyRegistry(e)
	}
}

// recovered takes away what a killed process left behind. Things may be named by path; their last part is
// the name.
func (f *folder) recovered(what, where string) {
	name := path.Base(where)
	switch what {
	case "container":
		f.removeContainer(name)
	case "snapshot":
		f.removeSnapshot(name)
	case "volume", "volume-folder":
		f.removeVolume(name)
		f.removeVolume(strings.TrimPrefix(name, "vol-"))
	case "network":
		f.removeNetwork(name)
	case "blob":
		f.removeBlob(where)
		f.removeBlob("sha256:" + name)
	case "chain", "layer":
		f.removeChain(where)
		f.removeChain("sha256:" + name)
	}
}

func (f *folder) applyBlob(e trace.Event) {
	b := Blob{e.Attr("digest").Str(), e.Attr("size_bytes").Int(), e.Attr("media_type").Str()}
	if e.Kind == vocab.BlobRemove {
		f.removeBlob(b.Digest)
		return
	}
	f.layerHasSize(b.Digest, b.Size)
	if f.w.Blob(b.Digest).Digest != "" {
		return
	}
	writable(f, partBlobs, &f.w.Blobs)
	f.w.Blobs = append(f.w.Blobs, b)
}

func (f *folder) removeBlob(digest string) {
	if i := slices.IndexFunc(f.w.Blobs, func(b Blob) bool { return b.Digest == digest }); i >= 0 {
		writable(f, partBlobs, &f.w.Blobs)
		f.w.Blobs = slices.Delete(f.w.Blobs, i, i+1)
	}
}

func (f *folder) applyCache(e trace.Event) {
	key := e.Attr("key").Str()
	i := slices.IndexFunc(f.w.Cache, func(c CacheEntry) bool { return c.Key == key })
	writable(f, partCache, &f.w.Cache)
	switch entry := (CacheEntry{key, e.Attr("diff_id").Str()}); {
	case e.Kind == vocab.CacheStore && i < 0:
		f.w.Cache = append(f.w.Cache, entry)
	case e.Kind == vocab.CacheStore:
		f.w.Cache[i] = entry
	case i >= 0:
		f.w.Cache = slices.Delete(f.w.Cache, i, i+1)
	}
}
