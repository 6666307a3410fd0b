package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

const nameChars = "[a-zA-Z0-9][a-zA-Z0-9_.-]"

func (m *Manager) link(name string) string { return filepath.Join(m.home.Containers(), "@"+name) }

// checkName holds name against docker's grammar: a letter or digit, then at least one of those or any of _ . -
func checkName(name string) error {
	if len(name) < 2 || len(name) > 200 {
		return invalidName(name)
	}
	for i := range len(name) {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '_' && c != '.' && c != '-') {
			return invalidName(name)
		}
	}
	return nil
}

func invalidName(name string) error {
	return invalid("Invalid container name (%s), only %s are allowed", name, nameChars)
}

// owner gives the id of the container that has name, or an empty string.
func (m *Manager) owner(name string) string {
	id := readLink(m.link(name))
	if !isID(id) {
		return ""
	}
	c, err := m.read(id)
	if err != nil || c.Problem == nil && c.Name != name {
		return ""
	}
	return id
}

func nameTaken(name, id string) error {
	return conflict("Conflict. The container name \"/%s\" is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", name, id)
}

// publish gives the finished record folder at src its place, and its name to the container, unless another has it.
func (m *Manager) publish(ctx context.Context, src, id, name string) error {
	unlock, err := m.home.Lock(ctx, "names", true)
	if err != nil {
		return err
	}
	defer unlock()
	if taken := m.owner(name); taken != "" {
		return nameTaken(name, taken)
	}
	if err := os.Remove(m.link(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take name %s: %w", name, err)
	}
	// The link first: until the folder is there it means nothing, and a crash leaves no container without its name.
	if err := makeLink(id, m.link(name)); err != nil {
		return fmt.Errorf("take name %s: %w", name, err)
	}
	if err := os.Rename(src, m.dir(id)); err != nil {
		return fmt.Errorf("place record of %s: %w", id, errors.Join(err, os.Remove(m.link(name))))
	}
	return nil
}

// unlink takes the container's name away, if it still is the container's. The folder must still be there: while it is, no
// other container can take the name.
func (m *Manager) unlink(c *Container) error {
	if c.Name == "" {
		return nil
	}
	if readLink(m.link(c.Name)) != c.ID {
		return nil
	}
	if err := os.Remove(m.link(c.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("free name %s: %w", c.Name, err)
	}
	return nil
}

// makeLink makes path lead to id: by a symbolic link, or where that needs a privilege (Windows) by a file that holds the id.
func makeLink(id, path string) error {
	err := os.Symlink(id, path)
	if err == nil || errors.Is(err, fs.ErrExist) || runtime.GOOS != "windows" {
		return err
	}
	return os.WriteFile(path, []byte(id), 0o600)
}

// readLink gives the id that path leads to, or an empty string.
func readLink(path string) string {
	if id, err := os.Readlink(path); err == nil {
		return id
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 128 {
		return ""
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

func (m *Manager) newID() (string, error) {
	for {
		var b [32]byte
		if _, err := io.ReadFull(m.Random, b[:]); err != nil {
			return "", fmt.Errorf("make container id: %w", err)
		}
		id := hex.EncodeToString(b[:])
		// docker never gives an id whose short form is a number: it could not be told from one.
		if _, err := strconv.ParseInt(id[:12], 10, 64); err != nil {
			return id, nil
		}
	}
}

func isID(s string) bool {
	if len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// freeName makes up a name that nobody has.
func (m *Manager) freeName() (string, error) {
	for try := range 100 {
		name := m.pick(adjectives) + "_" + m.pick(surnames)
		if try > 3 {
			name += strconv.Itoa(m.roll(10 * try))
		}
		if m.owner(name) == "" {
			return name, nil
		}
	}
	return "", conflict("every name that was tried is taken: give one with --name")
}

func (m *Manager) pick(words string) string {
	list := strings.Fields(words)
	return list[m.roll(len(list))]
}

func (m *Manager) roll(n int) int {
	v, err := rand.Int(m.Random, big.NewInt(int64(n)))
	if err != nil {
		return 0
	}
	return int(v.Int64())
}

// People who made computing, and how one may feel while learning it.
const (
	adjectives = `able agile amber apt astute balmy bold brave breezy bright brisk calm candid cheery chirpy clear clever
cosy crisp curious dapper daring deft eager earnest easy fair fine fleet fluent fond frank fresh gentle gifted glad golden
graceful grand hale handy hardy hearty helpful honest hopeful jaunty jolly jovial keen kind lively loyal lucid lucky mellow
merry mild mindful neat nimble noble patient plucky polite prompt proud quick quiet ready robust rosy serene sharp silver
sincere skilful smart snug spry steady stout sunny supple swift tactful tender thorough tidy tranquil trusty upbeat vivid
warm wise witty zesty`
	surnames = `adleman allen antonelli babbage bartik bernerslee boole catmull cerf church clarke codd conway cox dijkstra
easley engelbart estrin feinler floyd forsythe gosling granville gray hamilton hamming hoare holberton hopper huffman iverson
johnson jones kahan kahn karp keller kernighan knuth lamarr lamport liskov lovelace mccarthy mcilroy meitner milner minsky
moore naur neumann newell nygaard papert pascal perlman perlis pike postel rabin ritchie rivest sammet scott shamir shannon
shaw shirley sifakis simon spence sutherland tanenbaum tarjan thacker thompson torvalds turing valiant wescoff wilkes
wilkinson wing wirth yao zuse`
)
