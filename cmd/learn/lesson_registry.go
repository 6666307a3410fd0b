package main

import (
	"path/filepath"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/engine/registry/server"
	"github.com/learn-containers/learn/engine/registry/server/depot"
)

// lessonRegistry is the name of the registry that a lesson may have.
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
	srv, err := server.New(filepath.Join(e.Home(), "registry"), server.Options{Delete: true, Storage: depot.Options{Volatile: true}})
	if err != nil {
		return err
	}
	e.registry = srv
	opened.Images.Registry = registry.New(registry.Config{
		CredentialsDir: filepath.Join(e.Home(), "docker"),
		Transport:      &server.Transport{Host: lessonRegistry, Handler: srv},
	})
	return nil
}

func (e *lessonEngine) closeRegistry() error {
	if e.registry == nil {
		return nil
	}
	srv := e.registry
	e.registry = nil
	return srv.Close()
}
