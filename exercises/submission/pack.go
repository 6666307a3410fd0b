package submission

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/learn-containers/learn/exercises/journal"
)

// Pack writes an archive of a manifest and the journals of its exercises, by their ids.
func Pack(out io.Writer, m Manifest, journals map[string]journal.Journal) error {
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	p := packer{tar: tar.NewWriter(z), journals: journals, sources: map[string]journal.Journal{}}
	if err := p.pack(m); err != nil {
		return fmt.Errorf("pack submission: %w", err)
	}
	return errors.Join(p.tar.Close(), z.Close())
}

type packer struct {
	tar      *tar.Writer
	journals map[string]journal.Journal
	sources  map[string]journal.Journal // of contents, by hash
}

func (p *packer) pack(m Manifest) error {
	slices.SortFunc(m.Exercises, func(a, b Part) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := p.file("manifest.json", bytes.NewReader(append(data, '\n')), int64(len(data))+1); err != nil {
		return err
	}
	for _, part := range m.Exercises {
		if err := p.journal(part.ID); err != nil {
			return err
		}
	}
	for _, hash := range sortedKeys(p.sources) {
		if err := p.content(hash); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) journal(id string) error {
	j := p.journals[id]
	log, err := j.Read()
	if err != nil {
		return err
	}
	for _, hash := range log.Hashes() {
		p.sources[hash] = j
	}
	f, err := j.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return p.file(id+"/journal.jsonl", f, info.Size())
}

func (p *packer) content(hash string) error {
	f, err := p.sources[hash].Content(hash)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return p.file("objects/"+hash, f, info.Size())
}

// file has no owner and no date, so that the same work gives the same archive.
func (p *packer) file(name string, in io.Reader, size int64) error {
	h := &tar.Header{Name: name, Size: size, Mode: 0o644, Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if err := p.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.CopyN(p.tar, in, size)
	return err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
