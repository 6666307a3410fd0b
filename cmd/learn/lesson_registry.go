package main

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/engine/registry/server"
	"github.com/learn-containers/learn/engine/registry/server/depot"
)

// lessonRegistry is the name of the registry that a lesson or an exercise may have.
const lessonRegistry = "localhost:5000"

// openRegistry gives the lesson's engine a registry in the lesson's home, reached without a port: nothing else on the machine can use it, and it is
// there under WebAssembly, too.
func (e *lessonEngine) openRegistry(opened *engine.Engine) error {
	if !e.withRegistry {
		return nil
	}
	if err := e.closeRegistry(); err != nil {
		return err
	}
	e.registry = newHomeRegistry(opened, e.Home())
	return nil
}

func (e *lessonEngine) closeRegistry() error {
	if e.registry == nil {
		return nil
	}
	r := e.registry
	e.registry = nil
	return r.close()
}

// homeRegistry is a registry in an engine's home, which each process serves to itself while its commands ask for something. Processes that ask at
// the same time take turns.
type homeRegistry struct {
	dir string

	mu   sync.Mutex
	open *server.Server // nil before the first request
}

// registryPatience is how long a process waits for another one that has the registry open.
const registryPatience = 20 * time.Second

// newHomeRegistry lets an engine find the registry of its home. The caller closes it when no command runs.
func newHomeRegistry(opened *engine.Engine, home string) *homeRegistry {
	r := &homeRegistry{dir: filepath.Join(home, "registry")}
	opened.Images.Registry = registry.New(registry.Config{
		CredentialsDir: filepath.Join(home, "docker"),
		Transport:      &server.Transport{Host: lessonRegistry, Handler: r},
	})
	return r
}

// ServeHTTP implements http.Handler.
func (r *homeRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	srv, err := r.server(req.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	srv.ServeHTTP(w, req)
}

func (r *homeRegistry) server(ctx context.Context) (*server.Server, error) {
	ctx, cancel := context.WithTimeout(ctx, registryPatience)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.open == nil {
		srv, err := server.New(r.dir, server.Options{Delete: true, Storage: depot.Options{Volatile: true}})
		switch {
		case err == nil:
			r.open = srv
		case !errors.Is(err, depot.ErrInUse):
			return nil, err
		default:
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return nil, err
			}
		}
	}
	return r.open, nil
}

func (r *homeRegistry) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		return nil
	}
	srv := r.open
	r.open = nil
	return srv.Close()
}
