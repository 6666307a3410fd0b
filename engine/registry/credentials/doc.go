// Package credentials is who somebody is at which registry, kept where docker keeps it: in config.json, or by the program
// (docker-credential-*) that config.json names for a registry or for all.
//
// It speaks to no registry. It believes neither the file nor a program: both are bounded in size, a program also in time, and what goes
// wrong is an error, never an empty answer: who asks must not go on as nobody because a helper is broken. No secret is in an error, in
// the text of a Credential or in a program's arguments.
package credentials

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// HubServer is the name under which docker keeps the credentials of its hub.
const HubServer = "https://index.docker.io/v1/"

// Credential is what a registry accepts somebody by; the zero value is nobody. Its text never shows a secret.
type Credential struct {
	Username      string
	Password      string
	IdentityToken string // stands in for a password where a token service gave one
	AccessToken   string // is presented as it is
}

// IsZero reports that there is nothing to present.
func (c Credential) IsZero() bool { return c == Credential{} }

// String implements fmt.Stringer.
func (c Credential) String() string {
	switch {
	case c.IsZero():
		return "no credentials"
	case c.Username == "":
		return "a token"
	}
	return "credentials of " + c.Username
}

// GoString implements fmt.GoStringer.
func (c Credential) GoString() string { return c.String() }

// Format implements fmt.Formatter, so that no verb shows more than String.
func (c Credential) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.String())) }

// Server is the name under which the credentials of a registry are kept: of its host, perhaps with port, scheme or path.
func Server(registry string) string {
	if registry == HubServer {
		return HubServer
	}
	switch host := hostname(registry); host {
	case "", "docker.io", "registry-1.docker.io", "index.docker.io":
		return HubServer
	default:
		return host
	}
}

// hostname is what of a server's name a registry is found by. Old configs have a scheme and a path, too.
func hostname(server string) string {
	server = strings.TrimPrefix(strings.TrimPrefix(server, "http://"), "https://")
	host, _, _ := strings.Cut(server, "/")
	return host
}

// encodeAuth is how the file keeps a name and a password. That hides them from nobody.
func encodeAuth(c Credential) string {
	if c.Username == "" && c.Password == "" {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password))
}

func decodeAuth(s string) (username, password string, err error) {
	if s == "" {
		return "", "", nil
	}
	text, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", "", errors.New("auth is no base64")
	}
	username, password, ok := strings.Cut(string(text), ":")
	if !ok || username == "" {
		return "", "", errors.New("auth is not the base64 of NAME:PASSWORD")
	}
	return username, strings.Trim(password, "\x00"), nil
}
