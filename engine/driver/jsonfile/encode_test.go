package jsonfile

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// seeds are texts at the edges of what the encoder and the decoder treat alike.
var seeds = []string{"", "\n", "plain text of more than eight bytes\n", "a\x00b\x1f\x7f", "<a href=\"x\">&amp;\\</a>\n", "ü€😀", "\xff\xfe", "\u2028\u2029", "1234567\x80",
	"\t\r\b\f", "!#%'*+,-./;=?[]^`{|}~", "\xed\xa0\x80", "12345678\"", "\xf0\x9f\x98"}

// A text is written as encoding/json writes it.
func FuzzEncode(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, err := json.Marshal(string(text))
		must(t, err)
		if got := string(appendText([]byte(`"`), text)) + `"`; got != string(want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	})
}

// A line is read as encoding/json reads it.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds {
		for _, attrs := range []string{"", `,"attrs":{"a":"1","<":"&"}`, `,"attrs":null`, `,"attrs":{"a":1}`, `,"attrs":{"a":"1"`} {
			line := append([]byte(beforeText), appendText(nil, []byte(s))...)
			f.Add(append(line, `","stream":"stdout"`+attrs+`,"time":"2024-05-06T07:08:09.000012Z"}`+"\n"...))
		}
	}
	for _, s := range []string{"", "{}", "null", `{"log":"torn`, `{"log":"a{"log":"b\n","stream":"stdout","time":"2024-05-06T07:08:09Z"}`, `{"LOG":"x"}`, ` {"log":"x"}`,
		`{"log":"\ud83d\ude00\ud83d","stream":"stderr","time":"2024-05-06T07:08:09+01:00"}`, `{"log":"x","stream":"other","time":"2024-05-06T07:08:09Z"}`,
		`{"log":"x","stream":"stdout","time":"2024-02-30T07:08:09Z"}`, `{"log":"x","stream":"stdout","time":"2024-02-03T07:08:09Z"} x`, `{"log":"\u00e4\/\x","stream":"stdout","time":""}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var want struct {
			Log    string            `json:"log"`
			Stream string            `json:"stream"`
			Attrs  map[string]string `json:"attrs"`
			Time   time.Time         `json:"time"`
		}
		good := json.Unmarshal(line, &want) == nil
		var d Decoder
		for range 2 { // the second time it remembers
			var e Entry
			if got := d.Decode(line, &e); got != good {
				t.Fatalf("%q: taken %v, want %v", line, got, good)
			}
			if good && (string(e.Log) != want.Log || e.Stream != want.Stream || !e.Time.Equal(want.Time) || len(e.Attrs) != len(want.Attrs)) {
				t.Fatalf("%q: %+v, want %+v", line, e, want)
			}
			for k, v := range want.Attrs {
				if good && e.Attrs[k] != v {
					t.Fatalf("%q: attribute %s is %q", line, k, e.Attrs[k])
				}
			}
		}
	})
}

// logText is n bytes of lines as servers write them.
func logText(n int) []byte {
	line := []byte("2024-01-01 12:00:00 INFO request served path=/index.html status=200 bytes=5120 took=12ms agent=x\n")
	return bytes.Repeat(line, n/len(line)+1)[:n/len(line)*len(line)]
}

func BenchmarkWrite(b *testing.B) {
	for name, text := range map[string][]byte{"server": logText(64 << 10), "short": bytes.Repeat([]byte("y\n"), 32<<10)} {
		b.Run(name, func(b *testing.B) {
			l, err := Open(Options{Path: "/dev/null", Now: time.Now})
			must(b, err)
			defer l.Close()
			s := l.Stream("stdout")
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.Write(text)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	l, path := open(b)
	_, _ = l.Stream("stdout").Write(logText(32 << 20))
	l.Close()
	var bytesRead int64
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(path)
		must(b, err)
		var d Decoder
		var e Entry
		bytesRead = 0
		for lines, err := r.Next(); err == nil; lines, err = r.Next() {
			bytesRead += int64(len(lines))
			for len(lines) > 0 {
				n := bytes.IndexByte(lines, '\n') + 1
				if !d.Decode(lines[:n], &e) {
					b.Fatalf("%q", lines[:n])
				}
				lines = lines[n:]
			}
		}
		must(b, r.Close())
	}
	b.SetBytes(bytesRead)
}
