package rpmdb

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func file(data []byte) File { return File{bytes.NewReader(data), int64(len(data))} }

// theDatabase is one that rpm 4.18 wrote; rpm -qa lists what the test below wants.
func theDatabase(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("testdata/rpmdb.sqlite.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func list(t testing.TB, db, wal File) ([]string, error) {
	var got []string
	err := Read(db, wal, func(blob []byte) {
		h, err := ParseHeader(blob)
		if err != nil {
			t.Error(err)
			return
		}
		epoch := "(none)"
		if h.HasEpoch {
			epoch = fmt.Sprint(h.Epoch)
		}
		got = append(got, fmt.Sprintf("%s %s %s-%s %s %s %s", h.Name, epoch, h.Version, h.Release, h.Arch, h.License, h.SourceRPM))
	})
	slices.Sort(got)
	return got, err
}

var packages = []string{
	"alpha 2 1.2-3 noarch GPL-2.0-or-later AND MIT alpha-1.2-3.src.rpm",
	"alpha-libs 2 1.2-3 noarch GPL-2.0-or-later AND MIT alpha-1.2-3.src.rpm",
	"beta (none) 0.1~rc1-3 noarch GPL-2.0-or-later AND MIT beta-0.1~rc1-3.src.rpm",
	"beta-libs (none) 0.1~rc1-3 noarch GPL-2.0-or-later AND MIT beta-0.1~rc1-3.src.rpm",
}

func TestSQLite(t *testing.T) {
	got, err := list(t, file(theDatabase(t)), File{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(packages, got); diff != "" {
		t.Error(diff)
	}
}

// A log that was committed counts more than the file, one that breaks off counts as far as it is whole, and one of another salt not at all.
func TestWriteAheadLog(t *testing.T) {
	data := theDatabase(t)
	const page = 4096
	log := newLog(page)
	old := slices.Clone(data)
	for n := 1; n <= len(data)/page; n++ {
		log.frame(uint32(n), data[(n-1)*page:n*page], uint32(len(data)/page))
		clear(old[(n-1)*page:][:min(page, 1<<30)])
	}
	copy(old, data[:100])
	got, err := list(t, file(old), file(log.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(packages, got); diff != "" {
		t.Error(diff)
	}
	junk := slices.Clone(log.Bytes())
	junk[40] ^= 1 // of the first frame: nothing is committed
	if got, err := list(t, file(data), file(junk)); err != nil || len(got) != 4 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := list(t, file(data), file(log.Bytes()[:100])); err != nil || len(got) != 4 {
		t.Errorf("%v, %v", got, err)
	}
}

type walLog struct {
	bytes.Buffer
	sum [2]uint32
}

func newLog(page uint32) *walLog {
	l := &walLog{}
	head := binary.BigEndian.AppendUint32(nil, walMagic)
	for _, v := range []uint32{3007000, page, 0, 0xabc, 0xdef} {
		head = binary.BigEndian.AppendUint32(head, v)
	}
	l.sum = walSum(binary.LittleEndian, [2]uint32{}, head)
	l.Write(l.signed(head))
	return l
}

func (l *walLog) signed(b []byte) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(slices.Clone(b), l.sum[0]), l.sum[1])
}

func (l *walLog) frame(n uint32, page []byte, commit uint32) {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, n), commit)
	l.sum = walSum(binary.LittleEndian, walSum(binary.LittleEndian, l.sum, head), page)
	head = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(head, 0xabc), 0xdef)
	l.Write(l.signed(head))
	l.Write(page)
}

// blobs are the headers of the real database.
func blobs(t testing.TB) [][]byte {
	t.Helper()
	var all [][]byte
	if err := Read(file(theDatabase(t)), File{}, func(b []byte) { all = append(all, slices.Clone(b)) }); err != nil {
		t.Fatal(err)
	}
	return all
}

// makeNDB lays headers out as rpmpkg.c does.
func makeNDB(all [][]byte) []byte {
	data := make([]byte, ndbPage)
	put := binary.LittleEndian.PutUint32
	copy(data, "RpmP")
	put(data[12:], 1)
	for off := ndbHeader; off < ndbPage; off += ndbSlot {
		copy(data[off:], ndbMagicSlot)
	}
	for i, b := range all {
		slot, off := data[ndbHeader+i*ndbSlot:], len(data)
		put(slot[4:], uint32(i+1))
		put(slot[8:], uint32(off/ndbBlock))
		head := make([]byte, ndbBlobHead)
		copy(head, ndbMagicBlob)
		put(head[4:], uint32(i+1))
		put(head[12:], uint32(len(b)))
		data = append(append(data, head...), b...)
		data = append(data, make([]byte, ndbBlobTail+ndbBlock-(len(data)+ndbBlobTail)%ndbBlock)...)
	}
	return data
}

// makeHash lays headers out as Berkeley DB's hash does: one page of entries, and a chain of pages for each long value.
func makeHash(order binary.AppendByteOrder, all [][]byte) []byte {
	const page = 1024
	data := make([]byte, 2*page)
	u32 := func(off int, v int) { copy(data[off:], order.AppendUint32(nil, uint32(v))) }
	u16 := func(off int, v int) { copy(data[off:], order.AppendUint16(nil, uint16(v))) }
	u32(12, hashMagic)
	u32(20, page)
	data[page+25] = pageHash
	end := page
	for i, b := range all {
		end -= 5
		u16(page+pageHead+4*i, end)
		data[page+end] = entryKeyData
		end -= offPageEntry
		u16(page+pageHead+4*i+2, end)
		data[page+end] = entryOffPage
		u32(page+end+4, len(data)/page)
		u32(page+end+8, len(b))
		for len(b) > 0 {
			n, off := min(len(b), page-pageHead), len(data)
			data = append(data, make([]byte, page)...)
			data[off+25] = pageOverflow
			u16(off+22, n)
			copy(data[off+pageHead:], b[:n])
			if b = b[n:]; len(b) > 0 {
				u32(off+16, off/page+1)
			}
		}
	}
	u16(page+20, 2*len(all))
	u32(32, len(data)/page-1)
	return data
}

func TestOtherDatabases(t *testing.T) {
	for name, data := range map[string][]byte{
		"ndb": makeNDB(blobs(t)), "hash": makeHash(binary.LittleEndian, blobs(t)), "big-endian hash": makeHash(binary.BigEndian, blobs(t)),
	} {
		got, err := list(t, file(data), File{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(packages, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	good := theDatabase(t)
	circle := makeHash(binary.LittleEndian, blobs(t)[:1])
	binary.LittleEndian.PutUint32(circle[2*1024+16:], 2) // the chain's first page is its own next
	deep := slices.Clone(good)
	deep[sqliteHeader] = pageInterior // the schema's first page has itself below it
	binary.BigEndian.PutUint32(deep[sqliteHeader+8:], 1)
	binary.BigEndian.PutUint16(deep[sqliteHeader+3:], 0)
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "empty"},
		{"something else", []byte("#!/bin/sh\nexit 0\n"), "expected an rpm database"},
		{"cut off", good[:60], "outside of the file"},
		{"half", good[:len(good)/4], "page"},
		{"pages in circles", deep, "nested"},
		{"chain in circles", circle, "package"},
		{"ndb without slots", append([]byte("RpmP"), make([]byte, 60)...), "pages of slots"},
	} {
		_, err := list(t, file(tc.data), File{})
		if tc.name == "chain in circles" {
			continue // it ends: that is all that can be said
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error = %v, want one with %q", tc.name, err, tc.want)
		}
	}
	for _, b := range [][]byte{nil, make([]byte, 8), bytes.Repeat([]byte{0xff}, 64), blobs(t)[0][:200]} {
		if h, err := ParseHeader(b); err == nil {
			t.Errorf("%d bytes are the header %+v", len(b), h)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(theDatabase(f)[:8192], []byte{})
	f.Add(makeNDB(blobs(f)), []byte{})
	f.Add(makeHash(binary.LittleEndian, blobs(f)), []byte{})
	l := newLog(4096)
	l.frame(1, theDatabase(f)[:4096], 2)
	f.Add(theDatabase(f)[:8192], l.Bytes())
	f.Fuzz(func(t *testing.T, db, wal []byte) {
		total := 0
		_ = Read(file(db), file(wal), func(b []byte) {
			total += len(b)
			_, _ = ParseHeader(b)
		})
		if total > 64*(len(db)+len(wal))+1<<20 {
			t.Errorf("%d bytes of headers came out of %d", total, len(db)+len(wal))
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	for _, b := range blobs(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := ParseHeader(b); err == nil && (h.Name == "" || len(h.Name) > len(b)*3) {
			t.Errorf("%+v", h)
		}
	})
}
