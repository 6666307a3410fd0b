package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts plays the sessions in testdata. Each has an engine home of its own in $WORK/home, and its containers are ended with it.
func TestScripts(t *testing.T) {
	needRoot(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: false,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("LEARN_HOME", home)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NO_COLOR", "1")
			m := &machine{t: t, home: home, dir: env.WorkDir}
			env.Defer(m.clear)
			return nil
		},
		Condition: func(cond string) (bool, error) { return cond == "root" && os.Geteuid() == 0, nil },
	})
}
