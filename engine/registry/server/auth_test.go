package server

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func passwords(t *testing.T, users ...string) string {
	t.Helper()
	var lines []string
	for i := 0; i < len(users); i += 2 {
		hash, err := bcrypt.GenerateFromPassword([]byte(users[i+1]), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, users[i]+":"+string(hash)+"\n")
	}
	path := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(path, []byte("# users\n\n"+strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

func TestAuth(t *testing.T) {
	path := passwords(t, "ada", "lovelace", "bob", "b:c")
	auth, err := OpenAuth(path)
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, Options{Auth: auth})
	for range 2 { // the second time by memory
		l.want(200, "GET", "/v2/", "", "Authorization", basic("ada", "lovelace"))
		l.want(200, "GET", "/v2/", "", "Authorization", basic("bob", "b:c"))
		for _, bad := range []string{basic("ada", "wrong"), basic("ada", ""), basic("eve", "lovelace"), basic("", ""), "Bearer x", "Basic !"} {
			w := l.want(401, "GET", "/v2/", "", "Authorization", bad)
			if code(t, w) != codeUnauthorized || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic realm=") {
				t.Errorf("%s: %s %v", bad, w.Body, w.Header())
			}
		}
	}
	// Who may not enter does not even learn what is a path.
	l.want(401, "GET", "/v2/a/manifests/..", "")
	l.want(401, "PUT", "/v2/a/manifests/1", "{}")
	// A user who was taken out of the file is out, and no restart is needed.
	other, err := os.ReadFile(passwords(t, "bob", "new"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	l.want(401, "GET", "/v2/", "", "Authorization", basic("ada", "lovelace"))
	l.want(401, "GET", "/v2/", "", "Authorization", basic("bob", "b:c"))
	l.want(200, "GET", "/v2/", "", "Authorization", basic("bob", "new"))
}

func TestPasswordFilesThatAreRefused(t *testing.T) {
	for body, want := range map[string]string{
		"ada\n":                             "line 1: expected NAME:HASH",
		"\n:x\n":                            "line 2: expected NAME:HASH",
		"ada:$apr1$abc$xyz\n":               "htpasswd -B",
		"ada:secret\n":                      "line 1: the hash of \"ada\" is not bcrypt's",
		strings.Repeat("#", maxPasswords+1): "at most",
	} {
		path := filepath.Join(t.TempDir(), "passwords")
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenAuth(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%.30q: %v", body, err)
		}
	}
}
