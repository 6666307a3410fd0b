package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNoGit reports that the git program is missing.
var ErrNoGit = errors.New("git is not installed: install the program git, or give a folder or an archive instead of a repository")

// gitProgram runs git so that neither what a repository holds nor the user's settings make it run or read anything else: its only settings are in a
// file of our own, hooks, filters, file systems monitors and prompts are off, and only four protocols may be spoken, by submodules too (file: and
// ext: are not among them, CVE-2022-39253). Helpers that the user has set up to look up passwords are kept.
type gitProgram struct {
	path string
	dir  string // current folder
	env  []string
	hide []string // never to be seen in an error
}

const (
	maxGitOutput = 16 << 20
	maxGitErrors = 64 << 10
	gitWait      = 5 * time.Second // for what a killed git leaves behind
)

// minGit has GIT_CONFIG_GLOBAL, without which the user's settings can't be kept out.
var minGit = [2]int{2, 32}

// passed are the variables of the environment that git and what it starts (ssh, helpers for passwords) get.
var passed = []string{"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TEMP", "TMP", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT",
	"PROGRAMDATA", "COMSPEC", "PATHEXT", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"}

// newGit finds git and writes its settings into dir, which is the caller's.
func newGit(ctx context.Context, dir string, g Git) (*gitProgram, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return nil, ErrNoGit
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	p := &gitProgram{path: path, dir: dir, env: gitEnv(dir)}
	if err := p.checkVersion(ctx); err != nil {
		return nil, err
	}
	settings := &bytes.Buffer{}
	settings.WriteString(gitSettings)
	if g.user == nil {
		p.keepHelpers(ctx, settings)
	} else if err := p.giveUser(settings, g); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "gitconfig")
	if err := os.WriteFile(file, settings.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("write git's settings: %w", err)
	}
	p.env = append(p.env, "GIT_CONFIG_GLOBAL="+file)
	return p, nil
}

func gitEnv(dir string) []string {
	env := []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_ALLOW_PROTOCOL=https:http:git:ssh",
		"GIT_PROTOCOL_FROM_USER=0", "GIT_SSH_COMMAND=ssh -o BatchMode=yes", "GIT_LFS_SKIP_SMUDGE=1", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C", "GIT_CEILING_DIRECTORIES=" + dir}
	for _, name := range passed {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

const gitSettings = `[core]
	hooksPath = /dev/null
	attributesFile = /dev/null
	excludesFile = /dev/null
	fsmonitor = false
	autocrlf = false
	protectHFS = true
	protectNTFS = true
	logAllRefUpdates = false
[init]
	defaultBranch = master
[advice]
	detachedHead = false
[gc]
	auto = 0
[maintenance]
	auto = false
[submodule]
	recurse = false
[fetch]
	recurseSubmodules = false
[http]
	lowSpeedLimit = 1
	lowSpeedTime = 60
`

func (p *gitProgram) checkVersion(ctx context.Context) error {
	out, err := p.run(ctx, "version")
	if err != nil {
		return err
	}
	words := strings.Fields(string(out))
	if len(words) < 3 {
		return fmt.Errorf("git version: unexpected answer %q", out)
	}
	parts := strings.Split(words[2], ".")
	major, err := strconv.Atoi(parts[0])
	minor := 0
	if err == nil && len(parts) > 1 {
		minor, err = strconv.Atoi(parts[1])
	}
	if err != nil {
		return fmt.Errorf("git version: unexpected answer %q", out)
	}
	if major < minGit[0] || major == minGit[0] && minor < minGit[1] {
		return fmt.Errorf("git %s is too old to be run safely: %d.%d or newer is needed", words[2], minGit[0], minGit[1])
	}
	return nil
}

// keepHelpers takes over the settings that say where passwords come from. That there are none is no error.
func (p *gitProgram) keepHelpers(ctx context.Context, settings *bytes.Buffer) {
	for _, level := range []string{"--system", "--global"} {
		user := *p
		user.env = slices.DeleteFunc(slices.Clone(p.env), func(v string) bool { return strings.HasPrefix(v, "GIT_CONFIG_NOSYSTEM=") })
		out, err := user.run(ctx, "config", level, "--includes", "-z", "--get-regexp", `^credential\.`)
		if err != nil {
			continue
		}
		for entry := range strings.SplitSeq(string(out), "\x00") {
			key, value, _ := strings.Cut(entry, "\n")
			writeSetting(settings, key, value)
		}
	}
}

// writeSetting writes key, which is section.name or section.subsection.name.
func writeSetting(w *bytes.Buffer, key, value string) {
	first, last := strings.IndexByte(key, '.'), strings.LastIndexByte(key, '.')
	if first < 0 {
		return
	}
	fmt.Fprintf(w, "[%s", key[:first])
	if first < last {
		fmt.Fprintf(w, " %s", quoted(key[first+1:last]))
	}
	fmt.Fprintf(w, "]\n\t%s = %s\n", key[last+1:], quoted(value))
}

// quoted is s as git reads it in a settings file.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}

// giveUser lets git ask for the user and password of the address: they are in the environment of the program, not on its command line, are given to the
// address's own server only, and no helper that might store them learns of them.
func (p *gitProgram) giveUser(settings *bytes.Buffer, g Git) error {
	u, err := url.Parse(g.Remote)
	if err != nil {
		return errors.New("the address can't be")
	}
	name, secret := g.user.Username(), ""
	secret, _ = g.user.Password()
	if strings.ContainsAny(name+secret, "\n\r\x00") {
		return errors.New("user or password in the address has a line end")
	}
	const helper = `!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$LEARN_GIT_USER" "$LEARN_GIT_PASSWORD"; }; f`
	writeSetting(settings, "credential."+u.Scheme+"://"+u.Host+".helper", helper)
	p.env = append(p.env, "LEARN_GIT_USER="+name, "LEARN_GIT_PASSWORD="+secret)
	if secret == "" {
		secret = name // a token
	}
	for _, s := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), g.user.String()} {
		if s != "" && !slices.Contains(p.hide, s) {
			p.hide = append(p.hide, s)
		}
	}
	return nil
}

// in returns the same program in another folder.
func (p *gitProgram) in(dir string) *gitProgram {
	q := *p
	q.dir = dir
	return &q
}

// gitError is a git that failed.
type gitError struct {
	verb   string
	stderr string
	err    error
}

func (e *gitError) Error() string {
	msg := lastLines(e.stderr)
	if msg == "" {
		msg = e.err.Error()
	}
	return fmt.Sprintf("git %s: %s", e.verb, msg)
}

func (e *gitError) Unwrap() error { return e.err }

// lastLines are the lines in which git says what went wrong, on one line.
func lastLines(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "hint:") && !strings.HasPrefix(line, "Cloning into") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-5):], "; ")
}

// run runs git and returns what it printed.
func (p *gitProgram) run(ctx context.Context, args ...string) ([]byte, error) {
	out := &bounded{left: maxGitOutput}
	if err := p.stream(ctx, out, args...); err != nil {
		return nil, err
	}
	if out.cut {
		return nil, fmt.Errorf("git %s: more than %d bytes of output", args[0], maxGitOutput)
	}
	return out.buf.Bytes(), nil
}

// stream runs git and hands what it prints to w. An error of w ends git.
func (p *gitProgram) stream(ctx context.Context, w io.Writer, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, args...)
	errs := &bounded{left: maxGitErrors}
	sink := &ending{w: w, cancel: cancel}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = p.dir, p.env, sink, errs, gitWait
	endTogether(cmd)
	err := cmd.Run()
	if sink.err != nil {
		return sink.err
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		text := errs.buf.String()
		for _, s := range p.hide {
			text = strings.ReplaceAll(text, s, hidden)
		}
		return &gitError{verb: args[0], stderr: text, err: err}
	}
	return nil
}

// bounded keeps the first bytes that are written to it.
type bounded struct {
	buf  bytes.Buffer // not embedded: its ReadFrom knows no bound
	left int
	cut  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	keep := min(len(p), b.left)
	b.buf.Write(p[:keep])
	b.left -= keep
	b.cut = b.cut || keep < len(p)
	return len(p), nil
}

// ending calls cancel at the first error of w.
type ending struct {
	w      io.Writer
	cancel context.CancelFunc
	err    error
}

func (e *ending) Write(p []byte) (int, error) {
	n, err := e.w.Write(p)
	if err != nil && e.err == nil {
		e.err = err
		e.cancel()
	}
	return n, err
}
