package vuln

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

// DB is a folder of OSV records with an index of it. It must be closed. It isn't safe for concurrent use.
type DB struct {
	Records int       // that the folder has
	Newest  time.Time // when the newest of them was changed; zero if none says

	dir   *os.Root
	index *os.File
	begin int64 // of the sorted lines in the index
	size  int64
	files []string
	open  map[int]*os.File
}

// MissingError reports a folder that is not there or has no records.
type MissingError struct {
	Dir string
	Err error
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("open vulnerability database %s: %v", e.Dir, e.Err)
}

// Unwrap gives the cause.
func (e *MissingError) Unwrap() error { return e.Err }

var errNoRecords = errors.New("there are no OSV records in it: neither all.zip nor .json files")

// Open opens the records in dir: JSON files and archives of such (all.zip, as osv.dev gives them for each ecosystem), in it or in folders
// of it. The index is kept in cache, and made anew where it is not that of the files as they are; warn is told of what can't be read.
func Open(ctx context.Context, dir, cache string, warn func(string)) (*DB, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &MissingError{dir, err}
	}
	sources, err := listSources(ctx, root)
	if err == nil && len(sources) == 0 {
		err = errNoRecords
	}
	if err != nil {
		return nil, errors.Join(&MissingError{dir, err}, root.Close())
	}
	name, stamp := filepath.Join(cache, stampName(dir)), stampOf(sources)
	db, err := openIndex(root, name, stamp)
	if err != nil {
		if err = buildIndex(ctx, root, sources, name, stamp, warn); err == nil {
			db, err = openIndex(root, name, stamp)
		}
	}
	if err == nil && db.Records == 0 {
		err = errors.Join(&MissingError{dir, errNoRecords}, db.index.Close())
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return db, nil
}

// openIndex opens an index if it is one of these files.
func openIndex(root *os.Root, name, stamp string) (*DB, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	db := &DB{dir: root, index: f, open: map[int]*os.File{}}
	if err := db.readHead(stamp); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return db, nil
}

// readHead reads what stands before the sorted lines: magic and stamp, number of records, the newest's time, and the files.
func (db *DB) readHead(stamp string) error {
	in := bufio.NewReader(db.index)
	line := func() string {
		s, err := in.ReadString('\n')
		if err != nil {
			return ""
		}
		db.begin += int64(len(s))
		return strings.TrimSuffix(s, "\n")
	}
	if line() != indexMagic+stamp {
		return errors.New("the index is another one's")
	}
	var newest int64
	var files int
	if _, err := fmt.Sscanf(line(), "%d %d %d", &db.Records, &newest, &files); err != nil || files > maxSources {
		return errors.Join(errors.New("the index is damaged"), err)
	}
	if newest > 0 {
		db.Newest = time.Unix(newest, 0)
	}
	for range files {
		name, err := strconv.Unquote(line())
		if err != nil {
			return fmt.Errorf("the index is damaged: %w", err)
		}
		db.files = append(db.files, name)
	}
	fi, err := db.index.Stat()
	if err == nil {
		db.size = fi.Size()
	}
	return err
}

// Close closes the files of the database.
func (db *DB) Close() error {
	var errs []error
	for _, f := range db.open {
		errs = append(errs, f.Close())
	}
	return errors.Join(append(errs, db.index.Close(), db.dir.Close())...)
}

// Lookup calls visit with every record that names the package. What can't be read is an error.
func (db *DB) Lookup(ecosystem, name string, visit func(Record) error) error {
	key := keyOf(ecosystem, name) + "\t"
	at := db.begin + int64(sort.Search(int(db.size-db.begin), func(i int) bool {
		line, _ := db.lineAfter(db.begin + int64(i))
		return line == "" || line >= key
	}))
	_, at = db.lineAfter(at)
	for {
		line, next := db.lineFrom(at)
		if !strings.HasPrefix(line, key) {
			return nil
		}
		r, err := db.record(line[len(key):])
		if err == nil {
			err = visit(r)
		}
		if err != nil {
			return fmt.Errorf("look up %s in %s: %w", name, ecosystem, err)
		}
		at = next
	}
}

// lineAfter is the first line that begins at off or behind it, and where.
func (db *DB) lineAfter(off int64) (string, int64) {
	if off > db.begin {
		_, off = db.lineFrom(off - 1)
	}
	line, _ := db.lineFrom(off)
	return line, off
}

// lineFrom reads from off to the end of the line, and gives where the next one begins.
func (db *DB) lineFrom(off int64) (string, int64) {
	buf := make([]byte, 0, 256)
	for len(buf) < maxKey+256 {
		n, err := db.index.ReadAt(buf[len(buf):cap(buf)], off+int64(len(buf)))
		buf = buf[:len(buf)+n]
		if i := bytes.IndexByte(buf, '\n'); i >= 0 {
			return string(buf[:i]), off + int64(i) + 1
		}
		if err != nil || n == 0 {
			break
		}
		buf = append(buf, make([]byte, 256)...)[:len(buf)]
	}
	return "", db.size
}

// record reads the record at a place: FILE OFFSET STORED SIZE METHOD.
func (db *DB) record(place string) (Record, error) {
	var file int
	var offset, stored, size int64
	var method uint16
	if _, err := fmt.Sscanf(place, "%d %d %d %d %d", &file, &offset, &stored, &size, &method); err != nil || file < 0 || file >= len(db.files) || size > maxRecord || size < 0 {
		return Record{}, errors.Join(errors.New("the index is damaged"), err)
	}
	f, err := db.file(file)
	if err != nil {
		return Record{}, err
	}
	var r io.Reader = io.NewSectionReader(f, offset, stored)
	if method == methodDeflate {
		z := flate.NewReader(r)
		defer z.Close()
		r = z
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return Record{}, fmt.Errorf("%s: %w", db.files[file], err)
	}
	rec, err := ParseRecord(data)
	if err != nil {
		return rec, fmt.Errorf("%s: %w", db.files[file], err)
	}
	return rec, nil
}

const maxOpen = 64

func (db *DB) file(i int) (*os.File, error) {
	if f := db.open[i]; f != nil {
		return f, nil
	}
	if len(db.open) >= maxOpen {
		for k, f := range db.open {
			_ = f.Close()
			delete(db.open, k)
		}
	}
	f, err := openRegular(db.dir, db.files[i])
	if err == nil {
		db.open[i] = f
	}
	return f, err
}
