package registry

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/learn-containers/learn/engine/registry/credentials"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// identity finds out who the user is at a host, once for each.
type identity struct {
	dir   string // of docker's config.json
	mu    sync.Mutex
	known map[string]*found
}

type found struct {
	once sync.Once
	cred credentials.Credential
	err  error
}

func newIdentity(dir string) *identity { return &identity{dir: dir, known: map[string]*found{}} }

// at gives the credentials for a host ("localhost:5000", "registry-1.docker.io").
func (i *identity) at(ctx context.Context, host string) (auth.Credential, error) {
	server := credentials.Server(host)
	i.mu.Lock()
	f := i.known[server]
	if f == nil {
		f = &found{}
		i.known[server] = f
	}
	i.mu.Unlock()
	f.once.Do(func() {
		var config *credentials.Config
		if config, f.err = credentials.Open(i.dir); f.err == nil {
			f.cred, f.err = config.Get(ctx, server)
		}
	})
	if f.err != nil {
		return auth.EmptyCredential, fmt.Errorf("find the credentials for %s: %w", server, f.err)
	}
	return presented(f.cred), nil
}

func presented(c credentials.Credential) auth.Credential {
	return auth.Credential{Username: c.Username, Password: c.Password, RefreshToken: c.IdentityToken, AccessToken: c.AccessToken}
}

// authorized sends requests with what their host wants to see. Whether there are credentials is found out before the first request to a host: if
// a helper is broken nothing is sent, instead of asking as nobody what the user would be answered differently.
type authorized struct {
	*auth.Client
	identity *identity
}

// Do implements remote.Client.
func (a *authorized) Do(req *http.Request) (*http.Response, error) {
	if _, err := a.identity.at(req.Context(), req.URL.Host); err != nil {
		return nil, err
	}
	return a.Client.Do(req)
}

// guard keeps secrets from travelling in plain text beyond this machine, wherever a registry, its token service or a redirect leads.
type guard struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	secret := req.Header.Get("Authorization") != "" || req.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
	if secret && req.URL.Scheme != "https" && !isLoopback(req.URL.Host) {
		return nil, fmt.Errorf("credentials are not sent to %s by plain HTTP, where everybody on the way can read them", req.URL.Host)
	}
	return g.base.RoundTrip(req)
}
