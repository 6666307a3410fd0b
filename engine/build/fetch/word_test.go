package fetch

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseGit(t *testing.T) {
	yes, no := true, false
	const sha = "0123456789abcdef0123456789abcdef01234567"
	for word, want := range map[string]Git{
		"https://host/x.git":                            {Remote: "https://host/x.git"},
		"http://host:8080/a/x.git#main":                 {Remote: "http://host:8080/a/x.git", Ref: "main"},
		"https://host/x.git#:sub/dir":                   {Remote: "https://host/x.git", Subdir: "sub/dir"},
		"https://host/x.git#v1:/sub//dir/.":             {Remote: "https://host/x.git", Ref: "v1", Subdir: "sub/dir"},
		"https://host/x.git#feature/a:b":                {Remote: "https://host/x.git", Ref: "feature/a", Subdir: "b"},
		"git://host/x":                                  {Remote: "git://host/x"},
		"GIT://host/x":                                  {Remote: "git://host/x"},
		"ssh://git@host:22/x":                           {Remote: "ssh://git@host:22/x"},
		"git@host:owner/x.git":                          {Remote: "git@host:owner/x.git"},
		"other_user-1@my-host.org:/srv/x.git#v1:d":      {Remote: "other_user-1@my-host.org:/srv/x.git", Ref: "v1", Subdir: "d"},
		"git@host:x?branch=b&subdir=d":                  {Remote: "git@host:x", Ref: "refs/heads/b", Subdir: "d"},
		"github.com/owner/x":                            {Remote: "https://github.com/owner/x", bare: true},
		"github.com/owner/x.git#main:d":                 {Remote: "https://github.com/owner/x.git", Ref: "main", Subdir: "d", bare: true},
		"https://host/x.git?tag=v1":                     {Remote: "https://host/x.git", Ref: "refs/tags/v1"},
		"https://host/x.git?tag=refs/tags/v1":           {Remote: "https://host/x.git", Ref: "refs/tags/v1"},
		"https://host/x.git?branch=main&keep-git-dir":   {Remote: "https://host/x.git", Ref: "refs/heads/main", KeepGitDir: &yes},
		"https://host/x.git?ref=a&submodules=0":         {Remote: "https://host/x.git", Ref: "a", NoSubmodules: true},
		"https://host/x.git?keep-git-dir=false":         {Remote: "https://host/x.git", KeepGitDir: &no},
		"https://host/x.git?ref=a#a":                    {Remote: "https://host/x.git", Ref: "a"},
		"https://host/x.git?mtime=checkout":             {Remote: "https://host/x.git", CheckoutTimes: true},
		"https://host/x.git?commit=ABC123":              {Remote: "https://host/x.git", Checksum: "abc123"},
		"https://host/x.git?fetch-by-commit&ref=" + sha: {Remote: "https://host/x.git", Ref: sha, FetchByCommit: true},
	} {
		got, ok, err := ParseGit(word)
		if !ok || err != nil {
			t.Errorf("%s: %v, %v", word, ok, err)
			continue
		}
		got.name, got.user = "", nil
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Git{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", word, diff)
		}
	}
	for _, word := range []string{"", ".", "-", "dir", "./x.git", "../x.git", "x.git", "/srv/x.git", "https://host/x", "https://host/x.tar.gz#a", "http://host/x.git/",
		"file:///x.git", "ext::sh -c id", "ext://x.git", "fd::7", "ftp://host/x.git", "host:x.git", "a b@host:x", "u@h/x", "https://host/%zz.git", "github.com"} {
		if g, ok, err := ParseGit(word); ok {
			t.Errorf("%s is taken for the repository %+v, %v", word, g, err)
		}
	}
}

func TestParseGitRefuses(t *testing.T) {
	for word, want := range map[string]string{
		"https://host/x.git#--upload-pack=x":                  "invalid git ref",
		"https://host/x.git?ref=--upload-pack=x":              "invalid git ref",
		"https://host/x.git?branch=a:b":                       "invalid git ref",
		"https://host/x.git?ref=%2Ba":                         "invalid git ref",
		"https://host/x.git#a..b":                             "invalid git ref",
		"https://host/x.git#a%0Ab":                            "invalid git ref",
		"https://host/x.git#a*":                               "invalid git ref",
		"https://host/x.git#ref:../../":                       "leads out of the repository",
		"https://host/x.git?subdir=a/../../b":                 "leads out of the repository",
		`https://host/x.git?subdir=a\..\b`:                    "leads out of the repository",
		"https://host/x.git?ref=a&ref=b":                      "multiple values",
		"https://host/x.git?ref=":                             "has no value",
		"https://host/x.git?tag=a&branch=b":                   "branch conflicts with tag",
		"https://host/x.git?tag=a#b":                          "ref conflicts",
		"https://host/x.git?subdir=a#r:b":                     "subdir conflicts",
		"https://host/x.git?depth=1":                          "unexpected query",
		"https://host/x.git?submodules=maybe":                 "invalid submodules value",
		"https://host/x.git?mtime=never":                      "invalid mtime value",
		"https://host/x.git?checksum=--x":                     "invalid checksum",
		"https://host/x.git?fetch-by-commit&checksum=abc":     "whole id",
		"ssh://-oProxyCommand=x/x":                            "host",
		"ssh://-u@host/x":                                     "host",
		"-oProxyCommand@host:x":                               "host",
		"u@-oProxyCommand:x":                                  "",
		"ssh://u:secret@host/x":                               "takes no password",
		"https://user:secret@host/x.git#--upload-pack=secret": "invalid git ref",
	} {
		_, ok, err := ParseGit(word)
		if want == "" && !ok {
			continue
		}
		if !ok || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", word, ok, err, want)
		} else if strings.Contains(err.Error(), ":secret") {
			t.Errorf("%s: the error has the password: %v", word, err)
		}
	}
}

func TestClassify(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"folder", "github.com/owner/here"} {
		if err := os.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		word         string
		add, context Kind
	}{
		{"folder", Local, Local},
		{"missing", Local, Local},
		{"-", Local, Stdin},
		{"https://host/x.git", Repo, Repo},
		{"https://host/x.git#main", Repo, Repo},
		{"https://host/x.tar.gz", URL, URL},
		{"http://host", URL, URL},
		{"HTTP://host/x", Local, Local}, // as docker: only in small letters
		{"git@host:x", Repo, Repo},
		{"git://host/x", Repo, Repo},
		{"ftp://host/x", Local, Local},
		{"github.com/owner/name", Local, Repo},
		{"github.com/owner/here", Local, Local},
		{"./github.com/owner/name", Local, Local},
		{"https://host/%zz", URL, URL},
	} {
		if got, err := Classify(c.word); got != c.add || err != nil {
			t.Errorf("ADD %s: %d, %v; want %d", c.word, got, err, c.add)
		}
		if got, err := ClassifyContext(c.word); got != c.context || err != nil {
			t.Errorf("docker build %s: %d, %v; want %d", c.word, got, err, c.context)
		}
	}
	for _, word := range []string{"https://host/x.git?depth=1", "git@host:x#-a"} {
		if got, err := Classify(word); got != Repo || err == nil {
			t.Errorf("ADD %s: %d, %v; want an error", word, got, err)
		}
	}
}

func TestRedact(t *testing.T) {
	for word, want := range map[string]string{
		"https://user:secret@host/x.git#main": "https://xxxxx:xxxxx@host/x.git#main",
		"https://secret@host/x.git?branch=b":  "https://xxxxx:xxxxx@host/x.git?branch=b",
		"https://user:se/cret@host/x":         "https://xxxxx:xxxxx@host/x",
		"https://user:se?cret@host/x":         "https://xxxxx:xxxxx@host/x",
		"https://user:s@cret@host/x":          "https://xxxxx:xxxxx@host/x",
		"https://user:%zzsecret@host/x":       "https://xxxxx:xxxxx@host/x",
		"https://host/x?X-Signature=secret":   "https://host/x?xxxxx",
		"https://host/x?sig=secret#top":       "https://host/x?xxxxx#top",
		"https://host/x.git?token=secret":     "https://host/x.git?xxxxx",
		"https://host:8080/mail@example.org":  "https://host:8080/mail@example.org",
		"https://[::1]:80/a@b":                "https://[::1]:80/a@b",
		"ssh://git@host/x":                    "ssh://git@host/x",
		"ssh://git:secret@host/x":             "ssh://xxxxx:xxxxx@host/x",
		"git@host:x":                          "git@host:x",
		"a/path":                              "a/path",
		"ftp://user:secret@host/x":            "ftp://xxxxx:xxxxx@host/x",
	} {
		if got := Redact(word); got != want {
			t.Errorf("%s: %s; want %s", word, got, want)
		}
	}
}

func TestRedactText(t *testing.T) {
	for text, want := range map[string]string{
		"ADD --chmod=644 https://u:secret@h/x\t/x": "ADD --chmod=644 https://xxxxx:xxxxx@h/x\t/x",
		`ADD ["https://u:secret@h/x", "/x"]`:       `ADD ["https://xxxxx:xxxxx@h/x", "/x"]`,
		"RUN X=https://u:secret@h/ curl":           "RUN X=https://xxxxx:xxxxx@h/ curl",
		" no address : // here ":                   " no address : // here ",
		"https://h/x?sig=secret ftp://a:secret@h":  "https://h/x?xxxxx ftp://xxxxx:xxxxx@h",
	} {
		if got := RedactText(text); got != want {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
}

func TestHideUsers(t *testing.T) {
	for text, want := range map[string]string{
		"RUN |1 X=https://u:secret@h/x?y=z /bin/sh -c a && b": "RUN |1 X=https://xxxxx:xxxxx@h/x?y=z /bin/sh -c a && b",
		"RUN curl https://h/x?y=z":                            "RUN curl https://h/x?y=z",
		"RUN git clone ssh://git@h/x; mail a@b":               "RUN git clone ssh://git@h/x; mail a@b",
		"ENV A=://@":                                          "ENV A=://@",
		"a=https://h/x,https://u:secret@h,://,b://c@d":        "a=https://h/x,https://xxxxx:xxxxx@h,://,b://xxxxx:xxxxx@d",
	} {
		if got := HideUsers(text); got != want {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
}

// FuzzParseGit holds that nothing that is accepted means something else to the git program than an address, a name or a path inside.
func FuzzParseGit(f *testing.F) {
	for _, s := range []string{"https://u:p@host/x.git#main:sub", "git@host:x?tag=v1", "ssh://-a/x", "github.com/a/b#c:d/../e", "https://h/x.git?branch=a&subdir=b&checksum=ab&keep-git-dir",
		"git://h/x#:a/b", "https://h/x.git?ref=%2d%2dx", "https://user:pw@@host/x.git"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		g, ok, err := ParseGit(word)
		if !ok || err != nil {
			return
		}
		if strings.HasPrefix(g.Remote, "-") || strings.ContainsAny(g.Remote, "\n\x00") || strings.HasPrefix(g.Ref, "-") || strings.ContainsAny(g.Ref, " :*\n\x00") || strings.HasPrefix(g.Checksum, "-") {
			t.Fatalf("%q: %+v", word, g)
		}
		if g.Subdir != "" && (path.IsAbs(g.Subdir) || path.Clean(g.Subdir) != g.Subdir || g.Subdir == ".." || strings.HasPrefix(g.Subdir, "../")) {
			t.Fatalf("%q: subfolder %q", word, g.Subdir)
		}
		if u, err := url.Parse(g.Remote); err == nil && u.Scheme != "" {
			if u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "git" && u.Scheme != "ssh" || strings.HasPrefix(u.Host, "-") {
				t.Fatalf("%q: remote %q", word, g.Remote)
			}
			if _, secret := u.User.Password(); secret || u.User != nil && u.Scheme != "ssh" {
				t.Fatalf("%q: the remote has credentials: %q", word, g.Remote)
			}
		}
		if kind, err := Classify(word); err != nil || kind != Repo && !g.bare {
			t.Fatalf("%q: kind %d, %v", word, kind, err)
		}
	})
}

// FuzzRedact holds that a password is not in what is shown.
func FuzzRedact(f *testing.F) {
	f.Add("user", "path?x#y")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, user, tail string) {
		const secret = "hunter2secret"
		if strings.Contains(user, secret) || strings.Contains(tail, secret) || strings.ContainsAny(user, "/?#") {
			return
		}
		for _, scheme := range []string{"https", "http", "git", "ssh"} {
			if got := Redact(scheme + "://" + user + ":" + secret + "@host/" + tail); strings.Contains(got, secret) {
				t.Fatalf("%s", got)
			}
			if got := HideUsers("x=" + scheme + "://u:" + secret + "@host/" + tail); strings.Contains(got, secret) {
				t.Fatalf("%s", got)
			}
			if got := HideUsers(tail); !strings.Contains(tail, "@") && got != tail {
				t.Fatalf("%q became %q", tail, got)
			}
		}
	})
}

// FuzzClassify holds that both classifiers agree about what is no path, and that the bytes of a file never end in a panic.
func FuzzClassify(f *testing.F) {
	for _, s := range []string{"-", ".", "https://h/x.git", "git@h:x", "github.com/a/b", "http://h/x.tar.gz", "\x1f\x8b\x08", "BZh91AY&SY", strings.Repeat("x", 600)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		_ = IsArchive([]byte(word[:min(len(word), archiveHead)]))
		_ = RedactText(word)
		add, err := Classify(word)
		context, cerr := ClassifyContext(word)
		if add != Local && (context != add || (err == nil) != (cerr == nil)) {
			t.Fatalf("%q: ADD %d %v, context %d %v", word, add, err, context, cerr)
		}
		if httpURL(word) && add == Local {
			t.Fatalf("%q is taken for a path", word)
		}
		if err != nil && add != Repo {
			t.Fatalf("%q: %d, %v", word, add, err)
		}
	})
}
