package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/registry/registrytest"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts plays the sessions in testdata on both drivers; the conditions [linux] and [sim] tell which it is. Each has an engine home of its own in $WORK/home, and its containers are ended with it. Those
// about networks have a network namespace of their own, so that addresses and ports are the same each time and nobody's.
func TestScripts(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, driver string) {
		if driver == nativeName {
			needRoot(t)
		}
		runScripts(t, driver)
	})
}

func runScripts(t *testing.T, driver string) {
	hub := registrytest.New(t).Host()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: false,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("LEARN_HOME", home)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NO_COLOR", "1")
			env.Setenv("LEARN_DRIVER", driver)
			env.Setenv("LEARN_OFFLINE", "1")
			env.Setenv("REGISTRY", hub)
			env.Setenv("DOCKER_CONFIG", filepath.Join(env.WorkDir, ".docker"))
			m := &machine{t: t, home: home, dir: env.WorkDir, env: []string{"LEARN_DRIVER=" + driver}}
			if os.Geteuid() == 0 && strings.HasPrefix(filepath.Base(env.WorkDir), "script-network") {
				variable, stop := ownNetns(t)
				env.Defer(stop)
				env.Vars, m.env = append(env.Vars, variable), append(m.env, variable)
			}
			env.Defer(m.clear)
			return nil
		},
		Condition: func(cond string) (bool, error) { return cond == "root" && os.Geteuid() == 0 || cond == driver, nil },
	})
}
