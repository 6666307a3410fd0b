package docker

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestDetachKeys(t *testing.T) {
	for list, want := range map[string]string{
		"": "\x10\x11", "a": "a", "ctrl-a": "\x01", "ctrl-p,ctrl-q": "\x10\x11", "ctrl-@": "\x00", "ctrl-[": "\x1b", `ctrl-\`: "\x1c", "ctrl-_": "\x1f", "DEL": "\x7f", "a,b,ctrl-c": "ab\x03", ";": ";",
	} {
		if got, err := detachKeys(list); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v, want %q", list, got, err, want)
		}
	}
	for _, list := range []string{"foo", "ctrl-", "ctrl-aa", "ctrl-A", "a,,b", ",", "ctrl-x,foo", "é"} {
		if _, err := detachKeys(list); err == nil || err.Error() != "Invalid escape keys ("+list+") provided" {
			t.Errorf("%q: %v", list, err)
		}
	}
}

// What is typed arrives but for the sequence that detaches, however it is cut by reads.
func TestTypingAndDetaching(t *testing.T) {
	for name, c := range map[string]struct {
		typed, want string
		detached    bool
	}{
		"plain":                       {"echo hi\r", "echo hi\r", false},
		"detach":                      {"ab\x10\x11rest", "ab", true},
		"half a sequence":             {"a\x10b", "a\x10b", false},
		"a sequence that ends":        {"a\x10", "a\x10", false},
		"a key that breaks another":   {"\x10\x10\x11x", "\x10\x10\x11x", false},
		"the second key alone":        {"\x11\x11", "\x11\x11", false},
		"after a broken sequence":     {"\x10a\x10\x11", "\x10a", true},
		"the sequence from the begin": {"\x10\x11", "", true},
	} {
		for cut, from := range map[string]io.Reader{"whole": strings.NewReader(c.typed), "byte by byte": iotest.OneByteReader(strings.NewReader(c.typed))} {
			t.Run(name+", "+cut, func(t *testing.T) {
				detached := 0
				got, err := io.ReadAll(newEscapeReader(from, []byte{16, 17}, func() { detached++ }))
				if err != nil || string(got) != c.want || (detached == 1) != c.detached || detached > 1 {
					t.Errorf("%q, %v, detached %d; want %q, %v", got, err, detached, c.want, c.detached)
				}
			})
		}
	}
}

// Everything before the first sequence is passed on, byte for byte.
func TestNoByteIsLostBeforeDetaching(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		keys := []byte("ab")
		typed := rapid.SliceOfN(rapid.SampledFrom([]byte("abc")), 0, 20).Draw(r, "typed")
		src := iotest.DataErrReader(bytes.NewReader(typed))
		if rapid.Bool().Draw(r, "slow") {
			src = iotest.OneByteReader(src)
		}
		detached := false
		got, err := io.ReadAll(newEscapeReader(src, keys, func() { detached = true }))
		// a key that breaks a sequence begins none
		want, found := typed, false
		for i := 0; i+1 < len(typed); i++ {
			if typed[i] != 'a' {
				continue
			}
			if typed[i+1] == 'b' {
				want, found = typed[:i], true
				break
			}
			i++
		}
		if err != nil || !bytes.Equal(got, want) || detached != found {
			r.Fatalf("%q: got %q, detached %v, %v; want %q, %v", typed, got, detached, err, want, found)
		}
	})
}
