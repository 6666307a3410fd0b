package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/drivertest"
)

// The userland's own scripts print the same at the same times, however often they are run.
func TestScriptsRepeat(t *testing.T) {
	files, err := filepath.Glob("../../../userland/testdata/scripts/*.sh")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	times := drivertest.Times(10, 30)
	if testing.Short() {
		times = 3
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first := ""
			for i := range times {
				l := newLab(t, true, driver.Limits{})
				out, exit := l.script(string(text))
				got := fmt.Sprintln(out, exit.Code, exit.At)
				if i == 0 {
					first = got
				}
				if diff := cmp.Diff(first, got); diff != "" {
					t.Fatalf("run %d: %s", i, diff)
				}
			}
		})
	}
}
