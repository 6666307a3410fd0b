package credentials

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// config is a config.json with that text, in a folder of its own.
func config(t *testing.T, text string) *Config {
	t.Helper()
	dir := t.TempDir()
	if text != "" {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// helper puts a program docker-credential-NAME into PATH.
func helper(t *testing.T, name, script string) {
	t.Helper()
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("needs a shell to stand in for a credential helper")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-"+name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestGetFindsWhatDockerWrote(t *testing.T) {
	const anna = "YW5uYTpwOnc=" // anna:p:w
	for _, c := range []struct {
		name, text, server string
		want               Credential
	}{
		{"no file", "", "localhost:5000", Credential{}},
		{"empty file", " \n", "localhost:5000", Credential{}},
		{"null", "null", "localhost:5000", Credential{}},
		{"auth", `{"auths":{"localhost:5000":{"auth":"` + anna + `"}}}`, "localhost:5000", Credential{Username: "anna", Password: "p:w"}},
		{"another port", `{"auths":{"localhost:5001":{"auth":"` + anna + `"}}}`, "localhost:5000", Credential{}},
		{"old key", `{"auths":{"https://r.example/v1/":{"auth":"` + anna + `"}}}`, "r.example", Credential{Username: "anna", Password: "p:w"}},
		{"own key first", `{"auths":{"https://r.example":{"auth":"Yjpi"},"r.example":{"auth":"` + anna + `"}}}`, "r.example", Credential{Username: "anna", Password: "p:w"}},
		{"hub", `{"auths":{"https://index.docker.io/v1/":{"auth":"` + anna + `"}}}`, Server("docker.io"), Credential{Username: "anna", Password: "p:w"}},
		{"identity token", `{"auths":{"r.example":{"auth":"` + anna + `","identitytoken":"tok"}}}`, "r.example", Credential{Username: "anna", Password: "p:w", IdentityToken: "tok"}},
		{"registry token", `{"auths":{"r.example":{"registrytoken":"tok"}}}`, "r.example", Credential{AccessToken: "tok"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := config(t, c.text).Get(t.Context(), c.server)
			if err != nil || got != c.want {
				t.Errorf("got %#v (%v), want %#v", got, err, c.want)
			}
		})
	}
}

func TestDamagedConfigIsAnErrorWithoutSecrets(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":        "{\n \"auths\": {\"r.example\": {\"auth\": \"sEcReT\"",
		"auths a string": `{"auths":"sEcReT"}`,
		"entry a list":   `{"auths":{"r.example":["sEcReT"]}}`,
		"no base64":      `{"auths":{"r.example":{"auth":"sEcReT!"}}}`,
		"no colon":       `{"auths":{"r.example":{"auth":"c0VjUmVU"}}}`,
		"too long":       strings.Repeat(" ", maxFile+1),
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t, text)
			_, err := c.Get(t.Context(), "r.example")
			if err == nil || strings.Contains(err.Error(), "sEcReT") || !strings.Contains(err.Error(), c.Path()) {
				t.Errorf("error = %v", err)
			}
			if _, err := c.Put(t.Context(), "other.example", Credential{Username: "u", Password: "p"}); err == nil && name[0] != 'e' && name != "no base64" && name != "no colon" {
				t.Error("a file that can't be read was written over")
			}
		})
	}
}

func TestPutKeepsEverythingElse(t *testing.T) {
	c := config(t, `{"psFormat":"table {{.ID}}","auths":{"a.example":{"auth":"YTph","email":"x@y"}},"plugins":{"x":{"n":12345678901234567890}}}`)
	plain, err := c.Put(t.Context(), "localhost:5000", Credential{Username: "anna", Password: "pw"})
	if err != nil || !plain {
		t.Fatal(plain, err)
	}
	if err := c.Erase(t.Context(), "a.example"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(c.Path())
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(`{"psFormat":"table {{.ID}}","auths":{"localhost:5000":{"auth":"YW5uYTpwdw=="}},"plugins":{"x":{"n":12345678901234567890}}}`), &want)
	if diff := cmp.Diff(want, got); diff != "" || !strings.Contains(string(data), "12345678901234567890") {
		t.Error(diff, string(data))
	}
	if fi, _ := os.Stat(c.Path()); runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", fi.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(c.Path()), ".config*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestLinkToTheConfigStaysALink(t *testing.T) {
	real := config(t, `{"a":1}`)
	link := config(t, "")
	if err := os.Symlink(real.Path(), link.Path()); err != nil {
		t.Skip(err)
	}
	if _, err := link.Put(t.Context(), "r.example", Credential{Username: "u", Password: "p"}); err != nil {
		t.Fatal(err)
	}
	if got, err := real.Get(t.Context(), "r.example"); err != nil || got.Username != "u" {
		t.Error(got, err)
	}
}

func TestHelperKeepsTheSecret(t *testing.T) {
	dir := t.TempDir()
	helper(t, "box", fmt.Sprintf(`case $1 in
store) cat >%[1]s/kept; echo "$@" >%[1]s/args;;
get) read s; test -e %[1]s/kept && cat %[1]s/kept || { echo credentials not found in native keychain; exit 1; };;
erase) rm %[1]s/kept;; esac`, dir))
	c := config(t, `{"credsStore":"none","credHelpers":{"localhost:5000":"box"}}`)
	if got, err := c.Get(t.Context(), "localhost:5000"); err != nil || !got.IsZero() {
		t.Fatal(got, err)
	}
	want := Credential{Username: "anna", Password: "pw"}
	if plain, err := c.Put(t.Context(), "localhost:5000", want); err != nil || plain {
		t.Fatal(plain, err)
	}
	if got, err := c.Get(t.Context(), "localhost:5000"); err != nil || got != want {
		t.Fatal(got, err)
	}
	args, _ := os.ReadFile(filepath.Join(dir, "args"))
	file, _ := os.ReadFile(c.Path())
	if strings.Contains(string(file)+string(args), "pw") || strings.TrimSpace(string(args)) != "store" {
		t.Errorf("the secret is in %s or the arguments %s", file, args)
	}
	if err := c.Erase(t.Context(), "localhost:5000"); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "localhost:5000"); err != nil || !got.IsZero() {
		t.Error(got, err)
	}
}

func TestBrokenHelperIsAnError(t *testing.T) {
	helper(t, "fails", "echo the box is locked; exit 3")
	helper(t, "chatters", "head -c 100000 /dev/zero")
	helper(t, "mumbles", "echo sEcReT")
	for name, want := range map[string]string{"fails": "exit status 3: \"the box is locked\"", "chatters": "more than 65536 bytes", "mumbles": "no JSON", "absent": "not in PATH", "../x": "characters"} {
		c := config(t, `{"auths":{"r.example":{"auth":"YTph"}},"credsStore":"`+name+`"}`)
		got, err := c.Get(t.Context(), "r.example")
		if err == nil || !got.IsZero() || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "docker-credential-"+name) || strings.Contains(err.Error(), "sEcReT") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestSlowHelperIsStopped(t *testing.T) {
	helper(t, "sleeps", "exec sleep 1000")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := config(t, `{"credsStore":"sleeps"}`).Get(ctx, "r.example"); err == nil {
		t.Error("no error")
	}
}

func TestTextOfACredentialHasNoSecret(t *testing.T) {
	c := Credential{Username: "anna", Password: "sEcReT", IdentityToken: "sEcReT", AccessToken: "sEcReT"}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %q %s %x %v", c, c, c, c, c, []Credential{c})} {
		if strings.Contains(text, "sEcReT") || strings.Contains(text, "734563") {
			t.Error(text)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"auths":{"r.example":{"auth":"YTph"}},"credHelpers":{"x":"y"},"credsStore":""}`))
	f.Add([]byte(`{"auths":null,"credHelpers":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parse(data)
		if err != nil {
			return
		}
		for _, k := range d.keys("r.example") {
			_, _ = decode(d.auths[k])
		}
		dir := t.TempDir()
		c, _ := Open(dir)
		if err := c.write(d); err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		again, err := c.read()
		if err != nil || len(again.auths) != len(d.auths) {
			t.Fatalf("what was written can't be read: %v", err)
		}
	})
}
