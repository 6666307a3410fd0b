package layer

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

// No Go program writes bzip2: these are 600,000 bytes "layer layer ..." and 40 MiB of zeros, by the bzip2 program; and the former by xz with SHA-256 checks.
const (
	bzipLayer = "QlpoOTFBWSZTWWDANaMDDT+RgEAAIgQQICAAcDAApUMmAkoLASUFoJKC8CSgtBJQWgkoL4u5IpwoSDBgGtGA"
	bzipZeros = "QlpoOTFBWSZTWVfG138BQUFAgMAAAAEACCAAMMwFKaZAkCbFAkCeLuSKcKEgr42u/g=="
	xzLayer   = "/Td6WFoAAArh+wyhAgAhARYAAAB0L+Wj6Se/AKFdADYYS5jpw3aAt90um3ndfavh/YAXrsLnR7Qkh9SWrbvl/KrTB6ZPfdVU73kf0id0XR74A16WWcdkiUvsp17j27jWIG7LE6tb0IPx0KNAxB8LpsUcj2M8MrhmRIRTFOhNui6k7WdyQFJYvul2rFnk5VsFCPnH2q38+1IrdM0eWyBC+d1TPfgpZAk7gMsqbN+1O/DEvS5fqg8+S2ZCj9DgO9wAAAAAACrzxLEJoux4sJD4NOem4Vr6mkVbRolmuAShdHsWzjUuAAHVAcDPJAAsrpChtunfHAIAAAAAClla"
)

func decoded(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func xzOf(t testing.TB, c xz.WriterConfig, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := c.NewWriter(&buf)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestDecompressArchivesOfOtherPrograms(t *testing.T) {
	layers := bytes.Repeat([]byte("layer "), 100_000)
	small := bytes.Repeat([]byte("abc"), 7)
	blocks := xzOf(t, xz.WriterConfig{BlockSize: 5000}, layers)
	for _, c := range []struct {
		name   string
		kind   Compression
		packed []byte
		want   []byte
	}{
		{"bzip2", Bzip2, decoded(t, bzipLayer), layers},
		{"bzip2, two streams", Bzip2, append(decoded(t, bzipLayer), decoded(t, bzipLayer)...), append(bytes.Clone(layers), layers...)},
		{"xz with SHA-256", Xz, decoded(t, xzLayer), layers},
		{"xz with CRC-32", Xz, xzOf(t, xz.WriterConfig{CheckSum: xz.CRC32}, small), small},
		{"xz with CRC-64", Xz, xzOf(t, xz.WriterConfig{CheckSum: xz.CRC64}, small), small},
		{"xz without checks", Xz, xzOf(t, xz.WriterConfig{NoCheckSum: true}, small), small},
		{"xz of nothing", Xz, xzOf(t, xz.WriterConfig{}, nil), nil},
		{"xz, many blocks", Xz, blocks, layers},
		{"xz, two streams and padding", Xz, append(append(bytes.Clone(blocks), 0, 0, 0, 0, 0, 0, 0, 0), decoded(t, xzLayer)...), append(bytes.Clone(layers), layers...)},
	} {
		r, kind, err := Decompress(bytes.NewReader(c.packed))
		if err != nil || kind != c.kind {
			t.Errorf("%s: detected %s, %v", c.name, kind, err)
			continue
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %d bytes, %v; want %d", c.name, len(got), err, len(c.want))
		}
		r.Close()
		if _, _, err := DecompressLayer(bytes.NewReader(c.packed)); err == nil || !strings.Contains(err.Error(), "only gzip and zstd") {
			t.Errorf("%s as a layer: %v", c.name, err)
		}
	}
}

// Every cut of an xz file is noticed, and no changed byte changes what comes out: unlike tar, it has checksums all over.
func TestDecompressXzNoticesDamage(t *testing.T) {
	text := []byte(strings.Repeat("layer upon layer of text ", 8))
	whole := xzOf(t, xz.WriterConfig{BlockSize: 40, DictCap: 4096}, text)
	read := func(b []byte) error {
		r, kind, err := Decompress(bytes.NewReader(b))
		if err == nil && kind == Xz {
			var got []byte
			if got, err = io.ReadAll(r); err == nil && !bytes.Equal(got, text) {
				t.Errorf("%q came out", got)
			}
			r.Close()
		}
		if kind == None {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		if read(whole[:i]) == nil {
			t.Errorf("cut after %d of %d bytes: no error", i, len(whole))
		}
		bad := bytes.Clone(whole)
		bad[i] ^= 0x11
		_ = read(bad)
	}
	if read(append(bytes.Clone(whole), "rubbish"...)) == nil {
		t.Error("rubbish after the stream: no error")
	}
}

func TestDecompressOnlyByItsFirstBytes(t *testing.T) {
	for _, plain := range []string{"BZh is how some text begins", "BZ", "BZh9", "\xfd7zX", ""} {
		r, kind, err := Decompress(strings.NewReader(plain))
		if err != nil || kind != None {
			t.Errorf("%q: %s, %v", plain, kind, err)
			continue
		}
		if got, _ := io.ReadAll(r); string(got) != plain {
			t.Errorf("%q came out as %q", plain, got)
		}
	}
}

func TestDecompressStopsAtBombsOfOtherPrograms(t *testing.T) {
	for kind, packed := range map[Compression][]byte{Bzip2: decoded(t, bzipZeros), Xz: xzOf(t, xz.WriterConfig{}, make([]byte, 40<<20))} {
		r, _, err := decompress(bytes.NewReader(packed), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); !errors.Is(err, ErrBomb) || n > 20<<20 {
			t.Errorf("%s: %d bytes, %v; want ErrBomb", kind, n, err)
		}
		r.Close()
	}
}

// A block may ask for a dictionary of 4 GiB: it must be refused before the memory is taken.
func TestDecompressXzRefusesMemory(t *testing.T) {
	packed := xzOf(t, xz.WriterConfig{}, []byte("text"))
	header := packed[12:]
	size := (int(header[0]) + 1) * 4
	i := bytes.Index(header[:size-4], []byte{0x21, 1})
	header[i+2] = 40 // 4 GiB - 1
	binary.LittleEndian.PutUint32(header[size-4:], crc32.ChecksumIEEE(header[:size-4]))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, _, err := Decompress(bytes.NewReader(packed))
	if err == nil {
		_, err = io.ReadAll(r)
	}
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrBomb) || after.TotalAlloc-before.TotalAlloc > 64<<20 {
		t.Errorf("%v, %d bytes allocated; want ErrBomb", err, after.TotalAlloc-before.TotalAlloc)
	}
}

func FuzzDecompress(f *testing.F) {
	for _, s := range []string{bzipLayer, xzLayer} {
		f.Add(decoded(f, s))
	}
	f.Add(xzOf(f, xz.WriterConfig{BlockSize: 30, DictCap: 4096}, []byte(strings.Repeat("block ", 30))))
	f.Add(compressed(f, Gzip, []byte("layer")))
	f.Add(compressed(f, Zstd, []byte("layer")))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, kind, err := decompress(bytes.NewReader(data), 1<<20)
		if err != nil {
			return
		}
		defer r.Close()
		got, err := io.ReadAll(io.LimitReader(r, 64<<20))
		if kind != Xz || err != nil {
			return
		}
		other, oerr := xz.NewReader(bytes.NewReader(data))
		if oerr != nil {
			t.Fatalf("accepted what the reference refuses: %v", oerr)
		}
		if want, oerr := io.ReadAll(io.LimitReader(other, 64<<20)); oerr != nil || !bytes.Equal(got, want) {
			t.Fatalf("read %d bytes, the reference %d, %v", len(got), len(want), oerr)
		}
	})
}
