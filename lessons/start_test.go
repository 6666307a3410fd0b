package lessons

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestStart keeps what colours Markdown from costing every process its start: with the module that go.work puts in
// place of chroma no lexer is read.
func TestStart(t *testing.T) {
	if os.Getenv("GOWORK") == "off" {
		t.Skip("without go.work the real chroma is linked, which reads its lexers at start")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "init ") || strings.Contains(string(out), "chroma/v2/lexers") {
		t.Errorf("package initialisers are\n%s", out)
	}
}
