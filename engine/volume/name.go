package volume

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

const (
	nameChars = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
	maxName   = 255 // docker makes a folder of the name, and file systems take no longer one
	maxPlain  = 100 // longer names are files under their digest: on every host they fit
)

// CheckName holds name against docker's grammar. Errors: *InvalidError.
func CheckName(name string) error {
	if len(name) == 1 {
		return invalid("create %s: volume name is too short, names should be at least two alphanumeric characters", name)
	}
	ok := name != ""
	for i := range len(name) {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		ok = ok && (alnum || i > 0 && (c == '_' || c == '.' || c == '-'))
	}
	switch {
	case !ok:
		return invalid(`create %s: %q includes invalid characters for a local volume name, only "%s" are allowed. If you intended to pass a host directory, use absolute path`, name, name, nameChars)
	case len(name) > maxName:
		return invalid("create %.40s...: a volume name can have at most %d characters", name, maxName)
	}
	return nil
}

// anonymous makes up a name.
func (s *Store) anonymous() (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		return "", fmt.Errorf("make volume name: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

func long(name string) (key string, is bool) {
	if len(name) <= maxPlain {
		return "", false
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:]), true
}

// fileName is the record's. A host may not tell a from A, so capital letters are written with a sign that no name has.
func fileName(name string) string {
	if key, is := long(name); is {
		return "~" + key + ".json"
	}
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('+')
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String() + ".json"
}

// folderName is the driver's folder for a volume. No other folder begins like that: those of caches begin with cache-.
func folderName(name string) string {
	if key, is := long(name); is {
		return "volx-" + key
	}
	return folderPrefix + name
}

const folderPrefix = "vol-"

func isFolder(name string) bool {
	return strings.HasPrefix(name, folderPrefix) || strings.HasPrefix(name, "volx-")
}
