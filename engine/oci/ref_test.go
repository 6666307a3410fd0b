package oci

import (
	"errors"
	"strings"
	"testing"

	"github.com/distribution/reference"
)

func TestParseRef(t *testing.T) {
	hexa := strings.Repeat("ab", 32)
	for _, tc := range []struct{ in, full, familiar, repo string }{
		{"debian", "docker.io/library/debian:latest", "debian:latest", "debian"},
		{"debian:12", "docker.io/library/debian:12", "debian:12", "debian"},
		{"learn/base", "docker.io/learn/base:latest", "learn/base:latest", "learn/base"},
		{"localhost/a:b", "localhost/a:b", "localhost/a:b", "localhost/a"},
		{"index.docker.io/debian", "docker.io/library/debian:latest", "debian:latest", "debian"},
		{"example.com:5000/x/y", "example.com:5000/x/y:latest", "example.com:5000/x/y:latest", "example.com:5000/x/y"},
		{"[::1]:5000/x:1", "[::1]:5000/x:1", "[::1]:5000/x:1", "[::1]:5000/x"},
		{"docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest", "library/a/b"},
		{"a@sha256:" + hexa, "docker.io/library/a@sha256:" + hexa, "a@sha256:" + hexa, "a"},
		{"a:1@sha256:" + hexa, "docker.io/library/a:1@sha256:" + hexa, "a:1@sha256:" + hexa, "a"},
	} {
		r, err := ParseRef(tc.in)
		if err != nil {
			t.Errorf("ParseRef(%q): %v", tc.in, err)
			continue
		}
		if r.String() != tc.full || r.Familiar() != tc.familiar || r.Repository() != tc.repo {
			t.Errorf("ParseRef(%q) = %q, %q, %q; want %q, %q, %q", tc.in, r, r.Familiar(), r.Repository(), tc.full, tc.familiar, tc.repo)
		}
	}
}

func TestParseRefRefuses(t *testing.T) {
	for in, want := range map[string]error{
		"":                                     ErrRefFormat,
		"a b":                                  ErrRefFormat,
		"-a":                                   ErrRefFormat,
		"a:":                                   ErrRefFormat,
		"a..b":                                 ErrRefFormat,
		"a@sha256:12":                          ErrRefFormat,
		"a@sha512:" + strings.Repeat("a", 128): ErrRefFormat,
		"a:" + strings.Repeat("x", 129):        ErrRefFormat,
		strings.Repeat("a", 300):               ErrRefTooLong,
		"../../etc":                            ErrRefFormat,
	} {
		if _, err := ParseRef(in); !errors.Is(err, want) {
			t.Errorf("ParseRef(%.20q) error = %v, want %v", in, err, want)
		}
	}
	for in, want := range map[string]string{
		"Debian":                 "invalid reference format: repository name (library/Debian) must be lowercase",
		strings.Repeat("ab", 32): "cannot specify 64-byte hexadecimal strings",
	} {
		if _, err := ParseRef(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRef(%q) error = %v, want one with %q", in, err, want)
		}
	}
}

// FuzzParseRef compares the parser with the one that docker uses.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"debian", "debian:12", "a/b/c", "x.y:80/z", "[::1]:5/x", "a__b", "a___b", "a--b", "a.-b", "A.b/c", "B/c",
		"foo_bar.com/x:1", "localhost/x", "docker.io/x", "index.docker.io/x", "a:b/c", "a@sha256:" + strings.Repeat("0", 64),
		"a:b@sha256:" + strings.Repeat("0", 64), "", "/", "a/", ":", "@", "a.b:x/c", "library/a", strings.Repeat("f", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "@") && !strings.Contains(s, "@sha256:") {
			t.Skip("other algorithms are refused on purpose")
		}
		got, err := ParseRef(s)
		want, wantErr := reference.ParseNormalizedNamed(s)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("ParseRef(%q) error = %v, docker's is %v", s, err, wantErr)
		}
		if err != nil {
			return
		}
		want = reference.TagNameOnly(want)
		if got.String() != want.String() || got.Familiar() != reference.FamiliarString(want) || got.Repository() != reference.FamiliarName(want) {
			t.Fatalf("ParseRef(%q) = %q (%q), docker's is %q (%q)", s, got, got.Familiar(), want, reference.FamiliarString(want))
		}
		if again, err := ParseRef(got.String()); err != nil && got.domain != "" || err == nil && got.domain != "" && again != got {
			t.Fatalf("ParseRef(%q) again = %q, %v", got, again, err)
		}
	})
}
