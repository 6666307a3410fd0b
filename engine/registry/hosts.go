package registry

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const (
	hub           = "docker.io"
	hubHost       = "registry-1.docker.io"
	maxDaemonJSON = 1 << 20
	maxCertFile   = 1 << 20
)

// hosts says how registries are reached. It is read from files when the first request is made, and implements http.RoundTripper: each host
// has the certificates that are meant for it.
type hosts struct {
	mirrors  []endpoint // of docker.io, in the order in which they are asked
	insecure []string   // hosts, with or without a port
	networks []netip.Prefix
	certs    []string // folders with a folder for each host
	base     *http.Transport

	mu         sync.Mutex
	transports map[string]http.RoundTripper
	plain      map[string]bool // insecure hosts, and whether they speak plain HTTP
}

// endpoint is where a registry answers.
type endpoint struct {
	scheme, host string
	mirror       bool
}

func (e endpoint) String() string { return e.scheme + "://" + e.host }

// readHosts reads the first daemon.json that is there. certs.d is looked for beside each place that may have one.
func readHosts(home string) (*hosts, error) {
	h := &hosts{base: http.DefaultTransport.(*http.Transport), transports: map[string]http.RoundTripper{}, plain: map[string]bool{}}
	found := false
	for _, dir := range hostFolders(home) {
		h.certs = append(h.certs, filepath.Join(dir, "certs.d"))
		if found {
			continue
		}
		err := h.readDaemonJSON(filepath.Join(dir, "daemon.json"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		found = err == nil
	}
	return h, nil
}

func hostFolders(home string) []string {
	var dirs []string
	if home != "" {
		dirs = append(dirs, home)
	}
	if config, err := os.UserConfigDir(); err == nil {
		dirs = append(dirs, filepath.Join(config, "docker"))
	}
	return append(dirs, "/etc/docker")
}

// readDaemonJSON takes what concerns registries from dockerd's configuration; the other keys mean nothing here.
func (h *hosts) readDaemonJSON(file string) error {
	data, err := readSmall(file, maxDaemonJSON)
	if err != nil {
		return err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return fmt.Errorf("read %s: %w: expected a JSON object", file, err)
	}
	for key, add := range map[string]func(string) error{"registry-mirrors": h.addMirror, "insecure-registries": h.addInsecure} {
		var list []string
		if keys[key] == nil {
			continue
		}
		if err := json.Unmarshal(keys[key], &list); err != nil {
			return fmt.Errorf("read %s: %q: %w: expected a list of strings", file, key, err)
		}
		for _, s := range list {
			if err := add(s); err != nil {
				return fmt.Errorf("read %s: %q: %w", file, key, err)
			}
		}
	}
	return nil
}

func readSmall(file string, limit int64) ([]byte, error) {
	fi, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > limit {
		return nil, fmt.Errorf("read %s: expected a file of at most %d bytes", file, limit)
	}
	return os.ReadFile(file)
}

func (h *hosts) addMirror(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fmt.Errorf("%.100q is no address: %w", s, err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%.100q: expected an address such as https://mirror.example", s)
	case u.User != nil:
		return fmt.Errorf("%.100q: an address of a mirror has no user: who is who is kept by docker login %s", u.Redacted(), u.Host)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%.100q: an address of a mirror has no path, query or fragment", s)
	}
	h.mirrors = append(h.mirrors, endpoint{u.Scheme, u.Host, true})
	return nil
}

func (h *hosts) addInsecure(s string) error {
	if p, err := netip.ParsePrefix(s); err == nil {
		h.networks = append(h.networks, p.Masked())
		return nil
	}
	if s == "" || strings.ContainsAny(s, "/@ ") {
		return fmt.Errorf("%.100q: expected HOST, HOST:PORT or a network such as 10.0.0.0/8", s)
	}
	h.insecure = append(h.insecure, s)
	return nil
}

// isInsecure reports that daemon.json says of a host that its certificate need not be right, or that it may have none.
func (h *hosts) isInsecure(hostport string) bool {
	host := hostname(hostport)
	if slices.Contains(h.insecure, hostport) || slices.Contains(h.insecure, host) {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(h.networks, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
}

func hostname(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}

// endpoints are the places to ask for what the registry domain has, in order.
func (h *hosts) endpoints(domain string) []endpoint {
	if domain == hub {
		return append(slices.Clone(h.mirrors), endpoint{scheme: "https", host: hubHost})
	}
	return []endpoint{{scheme: h.scheme(domain), host: domain}}
}

// scheme is how a host is spoken to. A loopback host has TLS if there are certificates for it. An insecure one is asked once.
func (h *hosts) scheme(host string) string {
	if isLoopback(host) && len(h.certFolders(host)) == 0 {
		return "http"
	}
	if !h.isInsecure(host) {
		return "https"
	}
	h.mu.Lock()
	plain, known := h.plain[host]
	h.mu.Unlock()
	if !known {
		plain = h.speaksPlain(host)
		h.mu.Lock()
		h.plain[host] = plain
		h.mu.Unlock()
	}
	if plain {
		return "http"
	}
	return "https"
}

// speaksPlain tries TLS first, as docker does.
func (h *hosts) speaksPlain(host string) bool {
	rt, err := h.transport(host)
	if err != nil {
		return false // the request itself tells what is wrong
	}
	resp, err := (&http.Client{Transport: rt, Timeout: probePatience}).Head("https://" + host + "/v2/")
	if err != nil {
		return true
	}
	_ = resp.Body.Close()
	return false
}

// RoundTrip implements http.RoundTripper.
func (h *hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	rt, err := h.transport(r.URL.Host)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	return rt.RoundTrip(r)
}

// transport is the way to a host, kept for the next request.
func (h *hosts) transport(host string) (http.RoundTripper, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if rt := h.transports[host]; rt != nil {
		return rt, nil
	}
	var rt http.RoundTripper = h.base
	dirs, insecure := h.certFolders(host), h.isInsecure(host)
	if len(dirs) > 0 || insecure {
		own := h.base.Clone()
		own.TLSClientConfig = &tls.Config{InsecureSkipVerify: insecure} //nolint:gosec // somebody wrote down that this host is to be trusted without
		for _, dir := range dirs {
			if err := addCerts(own.TLSClientConfig, dir); err != nil {
				return nil, err
			}
		}
		rt = own
	}
	h.transports[host] = rt
	return rt, nil
}

// certFolders are the folders of certificates for a host.
func (h *hosts) certFolders(host string) []string {
	if host == "" || strings.ContainsAny(host, "/\\") || strings.Contains(host, "..") {
		return nil
	}
	var dirs []string
	for _, d := range h.certs {
		dir := filepath.Join(d, host)
		if fi, err := os.Stat(dir); err == nil && fi.IsDir() {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// addCerts reads a host's folder as docker does: *.crt are authorities, NAME.cert and NAME.key are the client's own.
func addCerts(c *tls.Config, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read certificates: %w", err)
	}
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		switch filepath.Ext(e.Name()) {
		case ".crt":
			if err := addAuthority(c, file); err != nil {
				return err
			}
		case ".cert":
			key := strings.TrimSuffix(file, ".cert") + ".key"
			pair, err := tls.LoadX509KeyPair(file, key)
			if err != nil {
				return fmt.Errorf("read client certificate %s with key %s: %w", file, key, err)
			}
			c.Certificates = append(c.Certificates, pair)
		case ".key":
			cert := strings.TrimSuffix(file, ".key") + ".cert"
			if _, err := os.Stat(cert); err != nil {
				return fmt.Errorf("read client key %s: its certificate is missing: expected %s", file, cert)
			}
		}
	}
	return nil
}

func addAuthority(c *tls.Config, file string) error {
	data, err := readSmall(file, maxCertFile)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	if c.RootCAs == nil {
		if c.RootCAs, err = x509.SystemCertPool(); err != nil {
			c.RootCAs = x509.NewCertPool()
		}
	}
	if !c.RootCAs.AppendCertsFromPEM(data) {
		return fmt.Errorf("read certificate %s: it has no certificate in PEM form", file)
	}
	return nil
}
