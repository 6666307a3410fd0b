package server

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

const (
	maxPasswords   = 1 << 20 // bytes of a password file
	maxRemembered  = 1000    // users who entered, so that a password is hashed once and not with each request
	checkedAtOnce  = 2       // passwords; each costs tens of milliseconds
	realm          = "learn registry"
	unknownsSecret = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC" // hash that stands for users who don't exist
)

// Auth is who may enter: the users of a file as htpasswd -B makes it. It is read again when it changes. It is safe for concurrent use.
type Auth struct {
	path  string
	slots chan struct{}

	mu      sync.Mutex
	info    fs.FileInfo
	hashes  map[string][]byte
	key     [32]byte            // of remembered; known to this process alone
	entered map[[32]byte]string // hash of name and password: the stored hash that it was compared with
}

// OpenAuth reads a password file.
func OpenAuth(path string) (*Auth, error) {
	a := &Auth{path: path, slots: make(chan struct{}, checkedAtOnce), entered: map[[32]byte]string{}}
	_, _ = rand.Read(a.key[:]) // never fails
	return a, a.refresh()
}

// refresh reads the file if it is another one than last time.
func (a *Auth) refresh() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	info, err := os.Stat(a.path)
	if err != nil {
		return fmt.Errorf("read password file: %w", err)
	}
	if a.info != nil && os.SameFile(a.info, info) && a.info.ModTime().Equal(info.ModTime()) && a.info.Size() == info.Size() {
		return nil
	}
	if info.Size() > maxPasswords {
		return fmt.Errorf("read password file %s: %d bytes, at most %d are read", a.path, info.Size(), maxPasswords)
	}
	data, err := os.ReadFile(a.path)
	if err != nil {
		return fmt.Errorf("read password file: %w", err)
	}
	hashes, err := parsePasswords(data)
	if err != nil {
		return fmt.Errorf("read password file %s: %w", a.path, err)
	}
	a.info, a.hashes = info, hashes
	clear(a.entered)
	return nil
}

// parsePasswords reads lines of NAME:HASH, with bcrypt's hashes. Empty lines and those that begin with # mean nothing.
func parsePasswords(data []byte) (map[string][]byte, error) {
	hashes := map[string][]byte{}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		name, hash, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 {
			return nil, fmt.Errorf("line %d: expected NAME:HASH", n)
		}
		if _, err := bcrypt.Cost(hash); err != nil {
			return nil, fmt.Errorf("line %d: the hash of %.40q is not bcrypt's, which is the only one that is taken: make it with htpasswd -B", n, name)
		}
		hashes[string(name)] = hash
	}
	return hashes, nil
}

// enter reports whether the password is right. Whether the user exists can't be told from how long it takes.
func (a *Auth) enter(ctx context.Context, name, password string) (bool, error) {
	if err := a.refresh(); err != nil {
		return false, err
	}
	hash, known, remembered := a.look(name, password)
	if remembered {
		return true, nil
	}
	select {
	case a.slots <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	err := bcrypt.CompareHashAndPassword(hash, []byte(password))
	<-a.slots
	if err != nil || !known {
		return false, nil
	}
	a.remember(name, password, hash)
	return true, nil
}

func (a *Auth) look(name, password string) (hash []byte, known, remembered bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	hash, known = a.hashes[name]
	if !known {
		return []byte(unknownsSecret), false, false
	}
	with, ok := a.entered[a.token(name, password)]
	return hash, true, ok && subtle.ConstantTimeCompare([]byte(with), hash) == 1
}

func (a *Auth) remember(name, password string, hash []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.entered) >= maxRemembered {
		clear(a.entered)
	}
	a.entered[a.token(name, password)] = string(hash)
}

// token stands for a name and a password, so that neither is kept.
func (a *Auth) token(name, password string) (t [32]byte) {
	h := hmac.New(sha256.New, a.key[:])
	_, _ = io.WriteString(h, fmt.Sprintf("%d:%s:%s", len(name), name, password))
	copy(t[:], h.Sum(nil))
	return t
}

// authorize lets a request in, or asks for a password.
func (x *exchange) authorize() error {
	if x.options.Auth == nil {
		return nil
	}
	name, password, ok := x.r.BasicAuth()
	if ok {
		ok, err := x.options.Auth.enter(x.ctx, name, password)
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
	}
	x.w.Header().Set("WWW-Authenticate", `Basic realm="`+realm+`"`)
	err := errors.New("authentication required")
	if ok || strings.TrimSpace(x.r.Header.Get("Authorization")) != "" {
		err = errors.New("the user name or the password is wrong")
	}
	return refuse(http.StatusUnauthorized, codeUnauthorized, err)
}
