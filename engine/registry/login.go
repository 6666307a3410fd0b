package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/learn-containers/learn/engine/registry/credentials"
	oras "oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// Login asks a registry (see credentials.Server) whether it accepts cred, which is kept nowhere. That goes to the registry and to the token
// service that it names, and nowhere else. If it is not accepted the error is ErrDenied.
func (c *Client) Login(ctx context.Context, server string, cred credentials.Credential) error {
	host := server
	if server == credentials.HubServer {
		host = "registry-1.docker.io"
	}
	if err := (oras.Reference{Registry: host}).ValidateRegistry(); err != nil {
		return fmt.Errorf("log in to %.100q: expected the HOST or HOST:PORT of a registry", server)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	hosts, err := c.hosts()
	if err != nil {
		return fmt.Errorf("log in to %s: %w", host, err)
	}
	url := hosts.scheme(host) + "://" + host + "/v2/"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("log in to %s: %w", host, err)
	}
	asker := *c.auth.Client
	asker.Cache = auth.NewCache()
	asker.Credential = func(_ context.Context, at string) (auth.Credential, error) {
		if at != host {
			return auth.EmptyCredential, nil
		}
		return presented(cred), nil
	}
	resp, err := asker.Do(req)
	if err != nil {
		return loginFailed(host, url, cause(ctx, err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // so that the connection can be used again
	if resp.StatusCode != http.StatusOK {
		return refusal(url, resp)
	}
	return nil
}

func refusal(url string, resp *http.Response) error {
	err := fmt.Errorf("login attempt to %s failed with status: %.100s", url, resp.Status)
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return fmt.Errorf("%w%w", err, quiet{ErrDenied})
	}
	return err
}

// loginFailed explains why there was no answer: the token service refused, or nobody was reached.
func loginFailed(host, url string, err error) error {
	var status *errcode.ErrorResponse
	if errors.As(err, &status) && (status.StatusCode == http.StatusUnauthorized || status.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("%s %q: unauthorized: incorrect username or password%w", "Get", url, quiet{ErrDenied})
	}
	e := &Error{Doing: "log in to", Name: host, Err: err}
	if status != nil {
		e.Status = status.StatusCode
		e.status(host, status, 0)
	} else {
		e.network(host, err)
	}
	return e
}

// quiet is an error that callers can branch on and that says nothing.
type quiet struct{ error }

// Error implements error.
func (quiet) Error() string { return "" }

// Unwrap gives the sentinel.
func (q quiet) Unwrap() error { return q.error }
