package volume

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Fill gives an empty volume what path leads to in the tree of chain: content, and owner and permissions of the folder itself. Links are
// followed inside the tree only. A volume that has something already, and a path that is not there, is left alone. After a crash the volume is
// empty, or the next Sweep fills it wholly. durable: it is to survive a power cut.
func (s *Store) Fill(ctx context.Context, v *Volume, chain digest.Digest, path string, durable bool) error {
	f, ok := s.folders.(driver.FolderFiller)
	if !ok || v.Folder == "" {
		return nil
	}
	unlock, err := s.home.Lock(ctx, namesLock, true) // one at a time
	if err != nil {
		return err
	}
	done, err := f.FillFolder(ctx, v.Folder, chain, path, durable)
	unlock()
	if err != nil {
		return fmt.Errorf("fill volume %s from %s of the image: %w", v.Name, path, err)
	}
	if done.Filled {
		trace.Fact(ctx, vocab.VolumeFill, trace.String("volume", v.Name), trace.String("path", path), trace.Int("files", int64(done.Files)), trace.Int("size_bytes", done.Bytes))
	}
	return nil
}
