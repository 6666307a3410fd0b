package sim

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What was sent is what comes, in order.
func TestFramesKeepOrderAndBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type sent struct {
			Kind byte
			Data []byte
		}
		kind := rapid.SampledFrom([]frameKind{frameStdin, frameStdout, frameStderr, frameReply})
		var want, got []sent
		near, far := net.Pipe()
		for range rapid.IntRange(0, 8).Draw(t, "frames") {
			want = append(want, sent{byte(kind.Draw(t, "kind")), rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")})
		}
		go func() {
			w := newWire(near)
			for _, s := range want {
				_ = w.send(frameKind(s.Kind), s.Data)
			}
			w.close()
		}()
		r := newWire(far)
		for {
			f, err := r.receive()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, sent{byte(f.kind), f.data})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestFrameBounds(t *testing.T) {
	head := func(kind frameKind, n uint32) []byte {
		return binary.BigEndian.AppendUint32([]byte{byte(kind)}, n)
	}
	for name, data := range map[string][]byte{
		"unknown kind":       head('?', 0),
		"long message":       head(frameRequest, maxMessage+1),
		"long stream":        head(frameStdin, maxStream+1),
		"end with something": append(head(frameEnd, 1), 'x'),
		"cut head":           head(frameStdin, 1)[:3],
		"cut payload":        append(head(frameStdin, 9), 'x'),
		"promise without":    head(frameRequest, maxMessage),
	} {
		if f, err := readFrame(bytes.NewReader(data)); err == nil || err == io.EOF {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	near, far := net.Pipe()
	defer far.Close()
	if err := newWire(near).send(frameStdin, make([]byte, maxStream+1)); err == nil {
		t.Error("a frame that nobody would take was sent")
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{byte(frameRequest), 0, 0, 0, 2, '{', '}'})
	f.Add([]byte{byte(frameStdin), 0, 0, 0, 3, 'a', 'b', 'c', byte(frameEnd), 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		for {
			before := r.Len()
			fr, err := readFrame(r)
			if err != nil {
				return
			}
			if limit, ok := fr.kind.limit(); !ok || len(fr.data) > limit {
				t.Fatalf("%q with %d bytes was taken", fr.kind, len(fr.data))
			}
			if before-r.Len() != frameHead+len(fr.data) {
				t.Fatalf("%d bytes were read for %d", before-r.Len(), len(fr.data))
			}
			if fr.kind == frameRequest {
				_, _ = parseRequest(fr.data)
			}
		}
	})
}
