package drivertest

import (
	"flag"
	"os"
	"testing"
)

// LongVariable asks for the long run: storms and random tests are repeated as often as it takes to come upon what is rare.
const LongVariable = "LEARN_TEST_LONG"

// Long tells whether this is the long run.
func Long() bool { return os.Getenv(LongVariable) != "" }

// Times is how often a test is repeated that looks for what happens seldom: usual times, or long times in the long run.
func Times(usual, long int) int {
	if Long() {
		return long
	}
	return usual
}

// Checks has rapid check a property that is dear only n times while t runs. The long run keeps rapid's own number, and -rapid.checks
// the number it gives.
func Checks(t testing.TB, n string) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	if f == nil {
		t.Fatal("package rapid is not part of this test")
	}
	before := f.Value.String()
	if Long() || before != f.DefValue {
		return
	}
	must(t, f.Value.Set(n))
	t.Cleanup(func() { must(t, f.Value.Set(before)) })
}
