package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/registry/server/depot"
)

const (
	maxUploads = 512              // at once
	maxIdle    = 10 * time.Minute // without a request
	minIdle    = time.Minute      // before an upload may have to make room for a new one
)

// upload is one that is under way.
type upload struct {
	id, repo string
	data     *depot.Upload
	busy     bool      // a request works on it
	used     time.Time // when the last one ended
}

// uploads are all that are under way. They live as long as the server.
type uploads struct {
	mu   sync.Mutex
	open map[string]*upload
	now  func() time.Time
}

// begin makes a new upload, which is busy. Old ones that nobody works on make room.
func (u *uploads) begin(d *depot.Depot, repo string) (*upload, error) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	name := hex.EncodeToString(id[:])
	up := &upload{id: name, repo: repo, data: d.NewUpload(name), busy: true}
	u.mu.Lock()
	old := u.expired()
	full := len(u.open) >= maxUploads
	if !full {
		u.open[name] = up
	}
	u.mu.Unlock()
	for _, o := range old {
		_ = o.data.Cancel() // what stays is removed when the depot is opened again
	}
	if full {
		return nil, refusef(http.StatusTooManyRequests, codeTooManyRequests, "%d uploads are under way: end some, or try again in a minute", maxUploads)
	}
	return up, nil
}

// expired takes out what was idle for too long, and the one that was so for longest if there is no room. The caller holds the lock.
func (u *uploads) expired() (old []*upload) {
	var oldest *upload
	for id, o := range u.open {
		if o.busy {
			continue
		}
		if u.now().Sub(o.used) > maxIdle {
			delete(u.open, id)
			old = append(old, o)
			continue
		}
		if oldest == nil || o.used.Before(oldest.used) {
			oldest = o
		}
	}
	if len(u.open) >= maxUploads && oldest != nil && u.now().Sub(oldest.used) > minIdle {
		delete(u.open, oldest.id)
		old = append(old, oldest)
	}
	return old
}

// take gives an upload to one request, until it is put back.
func (u *uploads) take(repo, id string) (*upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up := u.open[id]
	switch {
	case up == nil || up.repo != repo:
		return nil, refusef(http.StatusNotFound, codeUploadUnknown, "there is no upload %s in %s: it has ended, or was idle for too long", id, repo)
	case up.busy:
		return nil, refusef(http.StatusConflict, codeUploadInvalid, "another request works on this upload")
	}
	up.busy = true
	return up, nil
}

// put gives an upload back. over tells that it has ended.
func (u *uploads) put(up *upload, over bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up.busy, up.used = false, u.now()
	if over {
		delete(u.open, up.id)
	}
}

// clear throws away all of them.
func (u *uploads) clear() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var errs []error
	for id, o := range u.open {
		errs = append(errs, o.data.Cancel())
		delete(u.open, id)
	}
	return errors.Join(errs...)
}

func isUploadID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16 && hex.EncodeToString(b) == s
}
