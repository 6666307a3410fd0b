package vuln

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The index is a file of text. Behind its head, each line is KEY, a tab, and where a record that names that package lies; the lines are
// sorted, so that one is found by halving.
const (
	indexMagic    = "learn osv index 1 "
	methodStore   = 0
	methodDeflate = 8

	maxSources  = 1_000_000 // files in a database
	maxRecords  = 4_000_000 // lines of the index
	maxKey      = 1024      // bytes of ecosystem and name
	maxFolders  = 4         // depth
	maxWarnings = 20
)

// source is a file of the database.
type source struct {
	name string
	size int64
	time time.Time
}

// listSources finds the files, by name. Links are not followed.
func listSources(ctx context.Context, root *os.Root) ([]source, error) {
	var list []source
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if d.IsDir() && strings.Count(p, "/") >= maxFolders {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() || !strings.HasSuffix(p, ".json") && !strings.HasSuffix(p, ".zip") {
			return nil
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		if list = append(list, source{p, fi.Size(), fi.ModTime()}); len(list) > maxSources {
			return fmt.Errorf("more than %d files", maxSources)
		}
		return nil
	})
	return list, err
}

func stampOf(list []source) string {
	h := sha256.New()
	for _, s := range list {
		fmt.Fprintln(h, strconv.Quote(s.name), s.size, s.time.UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// stampName is the name of the index of a folder.
func stampName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:12]) + ".index"
}

// openRegular opens a file that is one and nothing that would be waited for.
func openRegular(root *os.Root, name string) (*os.File, error) {
	fi, err := root.Lstat(name)
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err != nil {
		return nil, err
	}
	return root.Open(name)
}

// indexer makes an index.
type indexer struct {
	root    *os.Root
	lines   []string
	records int
	newest  time.Time
	warn    func(string)
	warned  int
}

func buildIndex(ctx context.Context, root *os.Root, sources []source, name, stamp string, warn func(string)) error {
	x := &indexer{root: root, warn: warn}
	for i, s := range sources {
		if err := ctx.Err(); err != nil {
			return err
		}
		add := x.file
		if strings.HasSuffix(s.name, ".zip") {
			add = x.archive
		}
		if err := add(ctx, i, s); err != nil {
			x.complain(s.name, err)
		}
		if len(x.lines) > maxRecords {
			return fmt.Errorf("index vulnerability database: more than %d packages of records", maxRecords)
		}
	}
	slices.Sort(x.lines)
	x.lines = slices.Compact(x.lines)
	if err := x.write(sources, name, stamp); err != nil {
		return fmt.Errorf("index vulnerability database: %w", err)
	}
	return nil
}

func (x *indexer) complain(name string, err error) {
	if x.warned++; x.warned <= maxWarnings {
		x.warn(fmt.Sprintf("%s: %v", name, err))
	}
}

func (x *indexer) file(_ context.Context, i int, s source) error {
	if s.size > maxRecord {
		return fmt.Errorf("it has %d bytes, at most %d are read of a record", s.size, maxRecord)
	}
	f, err := openRegular(x.root, s.name)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return err
	}
	return x.add(data, fmt.Sprintf("%d 0 %d %d %d", i, len(data), len(data), methodStore))
}

func (x *indexer) archive(ctx context.Context, i int, s source) error {
	f, err := openRegular(x.root, s.name)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zip.NewReader(f, s.size)
	if err != nil {
		return err
	}
	for n, e := range z.File {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !strings.HasSuffix(e.Name, ".json") || e.FileInfo().IsDir() {
			continue
		}
		if err := x.entry(i, e); err != nil {
			x.complain(s.name+": "+strconv.Quote(e.Name), err)
		}
		if len(x.lines) > maxRecords {
			return nil
		}
	}
	return nil
}

func (x *indexer) entry(i int, e *zip.File) error {
	if e.UncompressedSize64 > maxRecord || e.Method != methodStore && e.Method != methodDeflate {
		return fmt.Errorf("%d bytes, compressed by method %d: at most %d bytes, stored or deflated, are read", e.UncompressedSize64, e.Method, maxRecord)
	}
	offset, err := e.DataOffset()
	if err != nil {
		return err
	}
	r, err := e.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	if err != nil {
		return err
	}
	return x.add(data, fmt.Sprintf("%d %d %d %d %d", i, offset, e.CompressedSize64, len(data), e.Method))
}

// header is what the index needs of a record; the rest isn't looked at.
type header struct {
	ID        string     `json:"id"`
	Modified  time.Time  `json:"modified"`
	Withdrawn *time.Time `json:"withdrawn"`
	Affected  []struct {
		Package struct {
			Ecosystem string `json:"ecosystem"`
			Name      string `json:"name"`
		} `json:"package"`
	} `json:"affected"`
}

func (x *indexer) add(data []byte, place string) error {
	var h header
	if err := json.Unmarshal(data, &h); err != nil {
		return err
	}
	if h.ID == "" {
		return errors.New("it is no OSV record: it has no id")
	}
	x.records++
	if h.Modified.After(x.newest) {
		x.newest = h.Modified
	}
	if h.Withdrawn != nil {
		return nil
	}
	for _, a := range h.Affected {
		ecosystem, _ := splitEcosystem(a.Package.Ecosystem)
		if key := keyOf(ecosystem, a.Package.Name); ecosystem != "" && len(key) <= maxKey {
			x.lines = append(x.lines, key+"\t"+place)
		}
	}
	return nil
}

// keyOf is how a package stands in the index: a line break or tab in a name must not end it.
func keyOf(ecosystem, name string) string {
	clean := func(r rune) rune {
		if r < ' ' {
			return '\uFFFD'
		}
		return r
	}
	return strings.Map(clean, ecosystem) + " " + strings.Map(clean, normalName(ecosystem, name))
}

// write makes the index in one go.
func (x *indexer) write(sources []source, name, stamp string) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".tmp-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "%s%s\n%d %d %d\n", indexMagic, stamp, x.records, max(x.newest.Unix(), 0), len(sources))
	for _, s := range sources {
		fmt.Fprintln(w, strconv.Quote(s.name))
	}
	for _, l := range x.lines {
		_, _ = w.WriteString(l)
		_ = w.WriteByte('\n')
	}
	if err = errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
