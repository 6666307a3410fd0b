package tree

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const rootLine = `{"path":".","kind":"dir","inode":1,"mode":"0755","modified":"2026-01-02T03:04:05Z"}` + "\n"

func lineAt(p, more string) string {
	return `{"path":"` + p + `","mode":"0644","modified":"2026-01-02T03:04:05Z",` + more + "}\n"
}

func TestReadTreeErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "root"},
		{"no JSON", rootLine + "hello\n", "line 2"},
		{"cut off", rootLine + `{"path`, "line 2: the last line is cut off"},
		{"leads out", rootLine + lineAt("../x", `"kind":"file","inode":2`), "line 2: path"},
		{"absolute", rootLine + lineAt("/x", `"kind":"file","inode":2`), "line 2: path"},
		{"stored leads out", rootLine + lineAt("x", `"kind":"file","inode":2,"stored":"../../y"`), "line 2: stored"},
		{"no folder", rootLine + lineAt("a/x", `"kind":"file","inode":2`), "line 2: path"},
		{"in a file", rootLine + lineAt("a", `"kind":"file","inode":2`) + lineAt("a/x", `"kind":"file","inode":3`), "line 3: path"},
		{"kind", rootLine + lineAt("a", `"kind":"folder","inode":2`), `line 2: kind "folder"`},
		{"two kinds", rootLine + lineAt("a", `"kind":"file","inode":2`) + lineAt("b", `"kind":"pipe","inode":2`), "line 3: inode 2"},
		{"linked folder", rootLine + lineAt("a", `"kind":"dir","inode":1`), "line 2: inode 1"},
		{"mode", rootLine + `{"path":"a","kind":"file","inode":2,"mode":"9","modified":"2026-01-02T03:04:05Z"}` + "\n", "line 2: mode"},
		{"time", rootLine + `{"path":"a","kind":"file","inode":2,"mode":"1","modified":"today"}` + "\n", "line 2: time"},
		{"device", rootLine + lineAt("a", `"kind":"char","inode":2`), "line 2: device"},
		{"percent", rootLine + lineAt("a%", `"kind":"file","inode":2`), "line 2: path"},
		{"moved into itself", rootLine + lineAt("a", `"kind":"dir","inode":2`) + `{"path":"a","kind":"moved","to":"a/b"}` + "\n", "line 3: path"},
		{"moved root", rootLine + `{"path":".","kind":"moved","to":"b"}` + "\n", "line 2: path"},
		{"gone already", rootLine + `{"path":"b","kind":"gone"}` + "\n", "line 2: path"},
		{"no inode", rootLine + lineAt("a", `"kind":"file"`), "line 2: inode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readTree(strings.NewReader(tt.text), "tree.jsonl", false)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "tree.jsonl") {
				t.Errorf("got %v, want %q and the file's name", err, tt.want)
			}
		})
	}
}

func TestJournalTornLineIsIgnored(t *testing.T) {
	text := rootLine + lineAt("a", `"kind":"file","inode":2`) + `{"path":".","kind":"closed"}` + "\n"
	whole, err := readTree(strings.NewReader(text), "j", true)
	if err != nil || !whole.closed {
		t.Fatalf("closed %v, %v", whole.closed, err)
	}
	torn, err := readTree(strings.NewReader(text+`{"path":"b","ki`), "j", true)
	if err != nil || torn.closed || torn.root.walk("a") == nil || torn.root.walk("b") != nil {
		t.Errorf("torn: %+v, %v", torn, err)
	}
}

func TestJournalReplays(t *testing.T) {
	s := newStore(t)
	s.prepare("k", s.base())
	u := s.open("k", nil)
	shell(t, u, "mkdir a; > a/f one; ln a/f g; mv a b; rm plain; > plain new; mkdir h; rmdir h; chmod600 b; >> g two; symlink to s; mv s t; rm b/f; >> g three; xattr g")
	must(t, u.Sync())
	var want, got bytes.Buffer
	must(t, writeTree(&want, u.root))
	other, _, err := s.again().snapshots.load("k")
	must(t, err)
	must(t, writeTree(&got, other.root))
	if diff := cmp.Diff(strings.Split(want.String(), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("replayed journal (-memory +disk):\n%s", diff)
	}
}

func TestTextRoundTrip(t *testing.T) {
	for _, s := range []string{"", "plain", "100%", "\x00\x1f\x7f", "\xff\xfe", "naïve", "a\xc3", "\ufffd", "%41"} {
		if got, err := decodeText(encodeText(s)); err != nil || got != s {
			t.Errorf("%q became %q (%q), %v", s, got, encodeText(s), err)
		}
	}
}

// FuzzReadTree: whatever a tree.jsonl holds, it is read or refused, and what was read can be written and read again.
func FuzzReadTree(f *testing.F) {
	f.Add([]byte(rootLine+lineAt("a", `"kind":"file","inode":2,"xattrs":{"user.x":"%00"},"stored":"%~1~a"`)+lineAt("b", `"kind":"file","inode":2`)), true)
	f.Add([]byte(rootLine+lineAt("d", `"kind":"dir","inode":3,"opaque":true`)+`{"path":"d","kind":"moved","to":"e"}`+"\n"+`{"path":"e","kind":"gone"}`+"\n"), true)
	f.Add([]byte(rootLine+lineAt("n", `"kind":"block","inode":4,"device":"8:1"`)+`{"path":"w","kind":"whiteout"}`+"\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, journal bool) {
		tree, err := readTree(bytes.NewReader(data), "f", journal)
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		must(t, writeTree(&first, tree.root))
		again, err := readTree(bytes.NewReader(first.Bytes()), "f", false)
		if err != nil {
			t.Fatalf("what was written can't be read: %v\n%s", err, first.String())
		}
		must(t, writeTree(&second, again.root))
		if first.String() != second.String() {
			t.Errorf("written twice:\n%s\n%s", first.String(), second.String())
		}
	})
}

// TestLinesAreJSON: what is written by hand is what encoding/json writes.
func TestLinesAreJSON(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z<>&"\\\\/ ]*`), rapid.Just("\u2028\xff"))
	rapid.Check(t, func(t *rapid.T) {
		l := line{Path: text.Draw(t, "path"), Kind: text.Draw(t, "kind"), Inode: rapid.Uint64().Draw(t, "inode"), Mode: text.Draw(t, "mode"),
			UID: rapid.Int().Draw(t, "uid"), GID: rapid.Int().Draw(t, "gid"), Size: rapid.Int64().Draw(t, "size"),
			Modified: text.Draw(t, "modified"), Changed: text.Draw(t, "changed"), Accessed: text.Draw(t, "accessed"), Target: text.Draw(t, "target"),
			Device: text.Draw(t, "device"), Xattrs: rapid.MapOf(text, text).Draw(t, "xattrs"), Opaque: rapid.Bool().Draw(t, "opaque"),
			Stored: text.Draw(t, "stored"), CRC32C: text.Draw(t, "crc"), Origin: rapid.Uint64().Draw(t, "origin"), To: text.Draw(t, "to"),
			Reported: rapid.Bool().Draw(t, "reported")}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), string(appendLine(nil, l))); diff != "" {
			t.Fatal(diff)
		}
	})
}
