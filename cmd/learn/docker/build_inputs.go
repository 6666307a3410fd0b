package docker

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/learn-containers/learn/engine/build"
)

// hosts checks --add-host: NAME:IP or NAME=IP, an IPv6 address with or without brackets.
func hosts(words []string) ([]string, error) {
	var out []string
	for _, w := range words {
		name, ip, ok := strings.Cut(w, "=")
		if !ok {
			name, ip, ok = strings.Cut(w, ":")
		}
		ip = strings.TrimSuffix(strings.TrimPrefix(ip, "["), "]")
		addr, err := netip.ParseAddr(ip)
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n#") || err != nil {
			return nil, usagef("bad format for add-host: %q: expected NAME:IP", w)
		}
		out = append(out, name+":"+addr.String())
	}
	return out, nil
}

// secrets reads --secret: id=ID and where it is: src=FILE, env=NAME, or by default the variable ID, else the file ID. The content is read
// when a step asks for it.
func (app *App) secrets(words []string) (map[string]build.Secret, error) {
	all := map[string]build.Secret{}
	for _, w := range words {
		id, from := "", map[string]string{}
		for field := range strings.SplitSeq(w, ",") {
			key, value, ok := strings.Cut(field, "=")
			switch key = strings.ToLower(strings.TrimSpace(key)); {
			case !ok:
				return nil, usagef("invalid field '%s' must be a key=value pair", field)
			case key == "id":
				id = value
			case key == "source":
				from["src"] = value
			case key == "src", key == "env", key == "type":
				from[key] = value
			default:
				return nil, usagef("unexpected key '%s' in '%s': expected id, src, env or type", key, field)
			}
		}
		if id == "" {
			return nil, usagef("secret %q: an id is missing: give id=NAME", w)
		}
		secret, err := app.secret(id, from)
		if err != nil {
			return nil, err
		}
		all[id] = secret
	}
	return all, nil
}

func (app *App) secret(id string, from map[string]string) (build.Secret, error) {
	name, isEnv := from["env"]
	file, isFile := from["src"]
	switch kind := from["type"]; {
	case kind == "env" && !isEnv:
		name, isEnv, isFile = file, true, false
		if name == "" {
			name = id
		}
	case kind != "" && kind != "file" && kind != "env":
		return nil, usagef("secret %s: unknown type %q: expected file or env", id, kind)
	case !isEnv && !isFile && kind == "":
		if _, set := app.Environ(id); set {
			name, isEnv = id, true
		}
	}
	if isEnv {
		return func() ([]byte, error) {
			v, ok := app.Environ(name)
			if !ok {
				return nil, fmt.Errorf("the environment has no variable %s", name)
			}
			return []byte(v), nil
		}, nil
	}
	if !isFile {
		file = id
	}
	path := app.path(file)
	if _, err := os.Stat(path); err != nil {
		return nil, usagef("failed to stat %s: no such file: secret %s needs src=FILE or env=NAME", file, id)
	}
	return func() ([]byte, error) { return readSecret(path) }, nil
}

// maxSecretFile is read of a secret at most; the builder refuses less.
const maxSecretFile = 1 << 20

func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecretFile))
	return data, errors.Join(err, f.Close())
}

// agents reads --ssh: ID or ID=SOCKET; the socket is that of SSH_AUTH_SOCK by default.
func (app *App) agents(words []string) (map[string]string, error) {
	all := map[string]string{}
	for _, w := range words {
		id, socket, _ := strings.Cut(w, "=")
		if id == "" {
			id = "default"
		}
		if socket == "" {
			var ok bool
			if socket, ok = app.Environ("SSH_AUTH_SOCK"); !ok || socket == "" {
				return nil, usagef("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set, or give --ssh %s=SOCKET", id)
			}
		}
		fi, err := os.Stat(app.path(socket))
		if err != nil || fi.Mode().Type() != os.ModeSocket {
			return nil, usagef("--ssh %s: %s is not the socket of an agent: start one with ssh-agent, load the key with ssh-add, and name its socket", id, socket)
		}
		all[id] = app.path(socket)
	}
	return all, nil
}
