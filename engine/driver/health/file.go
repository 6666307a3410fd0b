package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// File is the record's name in the container's folder.
const File = "health.json"

// maxFile is more than a record can take: five outputs, each byte of them written as six.
const maxFile = 256 << 10

// Write replaces the record in dir. It is not synced: it says nothing after a restart of the machine.
func Write(dir string, r Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode health: %w", err)
	}
	path := filepath.Join(dir, File)
	tmp := path + ".tmp" // a container has one supervisor
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write health: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("write health: %w", err), os.Remove(tmp))
	}
	return nil
}

// Read reads the record in dir. A broken or empty file counts as absent.
func Read(dir string) (Record, bool) {
	f, err := os.Open(filepath.Join(dir, File))
	if err != nil {
		return Record{}, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	var r Record
	if err != nil || len(data) > maxFile || json.Unmarshal(data, &r) != nil || r.Probes < 0 || r.Status == "" {
		return Record{}, false
	}
	r.Log = r.Log[max(0, len(r.Log)-MaxLog):]
	r.Changes = r.Changes[max(0, len(r.Changes)-maxChanges):]
	return r, true
}

// Output collects the beginning of what a probe writes, and takes in the rest. It belongs to one goroutine at a time.
type Output struct {
	kept []byte
	more bool
}

// Write implements io.Writer. It never fails.
func (o *Output) Write(p []byte) (int, error) {
	n := min(len(p), MaxOutput-len(o.kept))
	o.kept = append(o.kept, p[:n]...)
	o.more = o.more || n < len(p)
	return len(p), nil
}

// String is what is kept, as text; three dots stand for the rest.
func (o *Output) String() string {
	s := string(o.kept)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if o.more {
		s += "..."
	}
	return s
}
