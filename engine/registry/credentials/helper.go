package credentials

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	maxAnswer     = 64 << 10        // bytes that a helper may write
	helperTime    = 2 * time.Minute // a helper may ask its user to unlock something
	tokenUsername = "<token>"       // the name under which helpers keep an identity token
	notFound      = "credentials not found in native keychain"
)

// program is a helper by the end of its name: docker-credential-NAME. It is given all that it is to know by standard input.
type program string

// kept is how helpers speak of credentials (docker-credential-helpers, credentials/credentials.go).
type kept struct{ ServerURL, Username, Secret string }

func (p program) get(ctx context.Context, server string) (Credential, error) {
	out, err := p.run(ctx, "get", []byte(server))
	if errors.Is(err, errNotKept) {
		return Credential{}, nil
	}
	if err != nil {
		return Credential{}, err
	}
	var k kept
	if json.Unmarshal(out, &k) != nil {
		return Credential{}, fmt.Errorf("credential helper %s: get %s: its answer is no JSON with Username and Secret", p.file(), server)
	}
	if k.Username == tokenUsername {
		return Credential{IdentityToken: k.Secret}, nil
	}
	return Credential{Username: k.Username, Password: k.Secret}, nil
}

func (p program) store(ctx context.Context, server string, cred Credential) error {
	k := kept{server, cred.Username, cred.Password}
	if cred.IdentityToken != "" {
		k.Username, k.Secret = tokenUsername, cred.IdentityToken
	}
	in, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode credentials: %w", err)
	}
	_, err = p.run(ctx, "store", in)
	return err
}

func (p program) erase(ctx context.Context, server string) error {
	_, err := p.run(ctx, "erase", []byte(server))
	if errors.Is(err, errNotKept) {
		return nil
	}
	return err
}

var errNotKept = errors.New(notFound)

func (p program) file() string { return "docker-credential-" + string(p) }

// run runs the helper. Its own words are quoted only when it failed, when they are an error's by the protocol.
func (p program) run(ctx context.Context, verb string, in []byte) ([]byte, error) {
	fail := func(format string, args ...any) ([]byte, error) {
		return nil, fmt.Errorf("credential helper %.100s: %s: "+format, append([]any{p.file(), verb}, args...)...)
	}
	if strings.ContainsAny(string(p), "/\\ \x00") || len(p) > 100 {
		return fail("docker's config names it with characters that no program's name has")
	}
	path, err := exec.LookPath(p.file())
	if err != nil {
		return fail("it is not in PATH: install it, or take it out of credsStore and credHelpers in docker's config")
	}
	limited, cancel := context.WithTimeout(ctx, helperTime)
	defer cancel()
	var out limit
	cmd := exec.CommandContext(limited, path, verb)
	cmd.Stdin, cmd.Stdout, cmd.WaitDelay = bytes.NewReader(in), &out, time.Second
	err = cmd.Run()
	said := strings.TrimSpace(string(out.data))
	switch {
	case ctx.Err() != nil:
		return fail("%w", ctx.Err())
	case limited.Err() != nil:
		return fail("no answer within %s", helperTime)
	case out.over:
		return fail("it wrote more than %d bytes", maxAnswer)
	case err != nil && said == notFound:
		return nil, errNotKept
	case err != nil:
		return fail("%w: %.200q", err, said)
	}
	return out.data, nil
}

// limit keeps the first bytes that are written to it.
type limit struct {
	data []byte
	over bool
}

// Write implements io.Writer.
func (l *limit) Write(p []byte) (int, error) {
	if len(l.data)+len(p) > maxAnswer {
		l.over = true
		return 0, errors.New("too much")
	}
	l.data = append(l.data, p...)
	return len(p), nil
}
