package credentials

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const maxFile = 4 << 20

// Config is docker's config.json. Each call reads the file anew, so that it holds what other programs wrote meanwhile.
type Config struct{ path string }

// Open returns the config in the folder dir; empty: in DOCKER_CONFIG, or else in ~/.docker. Nothing has to be there.
func Open(dir string) (*Config, error) {
	if dir == "" {
		dir = os.Getenv("DOCKER_CONFIG")
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("find docker's config: %w", err)
		}
		dir = filepath.Join(home, ".docker")
	}
	return &Config{filepath.Join(dir, "config.json")}, nil
}

// Path is where the file is, or would be.
func (c *Config) Path() string { return c.path }

// document is the file with all that it has, also what means nothing here.
type document struct {
	all     map[string]json.RawMessage
	auths   map[string]json.RawMessage
	helpers map[string]string
	store   string
}

// entry is what the file has of one server.
type entry struct {
	Auth          string `json:"auth,omitempty"`
	Username      string `json:"username,omitempty"`
	Password      string `json:"password,omitempty"`
	IdentityToken string `json:"identitytoken,omitempty"`
	RegistryToken string `json:"registrytoken,omitempty"`
}

func (c *Config) read() (document, error) {
	data, err := readBounded(c.path)
	if err != nil {
		return document{}, fmt.Errorf("read docker's config: %w", err)
	}
	d, err := parse(data)
	if err != nil {
		return document{}, fmt.Errorf("read docker's config %s: %w", c.path, err)
	}
	return d, nil
}

// readBounded reads a file; what isn't there is empty.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a regular file", path))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return data, err
}

// parse reads the text of a config. Errors name the place and quote nothing: the text has secrets in it.
func parse(data []byte) (document, error) {
	d := document{all: map[string]json.RawMessage{}, auths: map[string]json.RawMessage{}}
	if len(bytes.TrimSpace(data)) == 0 {
		return d, nil
	}
	if err := json.Unmarshal(data, &d.all); err != nil {
		return d, where(data, "", err)
	}
	for key, into := range map[string]any{"auths": &d.auths, "credHelpers": &d.helpers, "credsStore": &d.store} {
		if raw, ok := d.all[key]; ok {
			if err := json.Unmarshal(raw, into); err != nil {
				return d, where(raw, key+" ", err)
			}
		}
	}
	if d.all == nil { // the file says null
		d.all = map[string]json.RawMessage{}
	}
	if d.auths == nil {
		d.auths = map[string]json.RawMessage{}
	}
	return d, nil
}

func where(data []byte, key string, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		before := data[:min(int(syntax.Offset), len(data))]
		return fmt.Errorf("%sis no JSON at line %d: mend it, or remove the file and log in again", key, bytes.Count(before, []byte("\n"))+1)
	case errors.As(err, &kind):
		return fmt.Errorf("%sis a JSON %s where another type is expected: mend it", key, firstWord(kind.Value))
	}
	return fmt.Errorf("%sis no JSON of the expected form: mend it", key)
}

func firstWord(s string) string { // "string" of "string secret"
	word, _, _ := bytes.Cut([]byte(s), []byte(" "))
	return string(word)
}

// helper is the program that keeps the credentials of server, or nothing.
func (d document) helper(server string) string {
	if h, ok := d.helpers[server]; ok && h != "" {
		return h
	}
	return d.store
}

// keys are the entries of server, the one under its very name first.
func (d document) keys(server string) []string {
	var keys []string
	for k := range d.auths {
		if k == server || server != HubServer && hostname(k) == hostname(server) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		if a == server {
			return -1
		}
		if b == server {
			return 1
		}
		return bytes.Compare([]byte(a), []byte(b))
	})
	return keys
}

// Get is what to present to server (see Server); the zero Credential if there is nothing. An error means that it could not be found out.
func (c *Config) Get(ctx context.Context, server string) (Credential, error) {
	d, err := c.read()
	if err != nil {
		return Credential{}, err
	}
	if name := d.helper(server); name != "" {
		return program(name).get(ctx, server)
	}
	keys := d.keys(server)
	if len(keys) == 0 {
		return Credential{}, nil
	}
	cred, err := decode(d.auths[keys[0]])
	if err != nil {
		return Credential{}, fmt.Errorf("read docker's config %s: entry %q: %w", c.path, keys[0], err)
	}
	return cred, nil
}

func decode(raw json.RawMessage) (Credential, error) {
	var e entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return Credential{}, where(raw, "", err)
	}
	cred := Credential{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken, AccessToken: e.RegistryToken}
	if e.Auth == "" {
		return cred, nil
	}
	var err error
	cred.Username, cred.Password, err = decodeAuth(e.Auth)
	return cred, err
}

// Put keeps what to present to server. With a helper the secret goes to it alone; plain tells that it is in the file, for everybody to
// read who can read that.
func (c *Config) Put(ctx context.Context, server string, cred Credential) (plain bool, err error) {
	d, err := c.read()
	if err != nil {
		return false, err
	}
	e := entry{Auth: encodeAuth(cred), IdentityToken: cred.IdentityToken, RegistryToken: cred.AccessToken}
	if cred.IdentityToken != "" {
		e.Auth = encodeAuth(Credential{Username: cred.Username})
	}
	name := d.helper(server)
	if name != "" {
		if err := program(name).store(ctx, server, cred); err != nil {
			return false, err
		}
		e = entry{}
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return false, fmt.Errorf("encode credentials: %w", err)
	}
	if have, ok := d.auths[server]; ok && bytes.Equal(compact(have), raw) {
		return name == "", nil
	}
	d.auths[server] = raw
	return name == "", c.write(d)
}

func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return nil
	}
	return b.Bytes()
}

// Erase forgets what to present to server. That there is nothing is no error.
func (c *Config) Erase(ctx context.Context, server string) error {
	d, err := c.read()
	if err != nil {
		return err
	}
	var failed error
	if name := d.helper(server); name != "" {
		failed = program(name).erase(ctx, server)
	}
	keys := d.keys(server)
	for _, k := range keys {
		delete(d.auths, k)
	}
	if len(keys) > 0 {
		failed = errors.Join(failed, c.write(d))
	}
	return failed
}

// write puts d in the place of the file, which the user alone may read. A link to it stays a link.
func (c *Config) write(d document) error {
	raw, err := json.Marshal(d.auths)
	if err != nil {
		return fmt.Errorf("encode docker's config: %w", err)
	}
	d.all["auths"] = raw
	data, err := json.MarshalIndent(d.all, "", "\t")
	if err != nil {
		return fmt.Errorf("encode docker's config: %w", err)
	}
	path := c.path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := replace(path, append(data, '\n')); err != nil {
		return fmt.Errorf("write docker's config: %w", err)
	}
	return nil
}

func replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".config.json-") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
