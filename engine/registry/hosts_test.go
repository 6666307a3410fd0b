package registry

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/registrytest"
)

// authority signs the certificates of a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a certificate and its key; an authority's own if it has none yet.
func (a *authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	return c, key
}

// pair is a certificate for a server called name, or for a client.
func (a *authority) pair(name string) tls.Certificate {
	c, key := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func keyPEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// network is where names of hosts lead to servers on the loopback interface, and everything else nowhere.
type network struct {
	*testing.T
	home  string
	names map[string]string // "HOST:PORT" to an address

	mu    sync.Mutex
	asked []string // "HOST: request, authorized", in order
}

func newNetwork(t *testing.T) *network {
	for _, v := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"} {
		t.Setenv(v, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	return &network{T: t, home: t.TempDir(), names: map[string]string{}}
}

// write puts a file into the home.
func (n *network) write(name string, data []byte) {
	n.Helper()
	p := filepath.Join(n.home, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		n.Fatal(err)
	}
	if err := os.WriteFile(p, data, 0o600); err != nil {
		n.Fatal(err)
	}
}

// serve makes s answer as host; with TLS if c is not nil.
func (n *network) serve(host string, h http.Handler, c *tls.Config) {
	n.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := host + ": " + r.Method + " " + r.URL.Path
		if r.Header.Get("Authorization") != "" {
			line += ", authorized"
		}
		n.mu.Lock()
		n.asked = append(n.asked, line)
		n.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = nil
	port := ":80"
	if s.TLS = c; c == nil {
		s.Start()
	} else {
		port = ":443"
		s.StartTLS()
	}
	n.Cleanup(s.Close)
	if _, _, err := net.SplitHostPort(host); err == nil {
		port = ""
	}
	n.names[host+port] = s.Listener.Addr().String()
}

// client is what New makes, but for where names lead.
func (n *network) client() *Client {
	n.Helper()
	known := sync.OnceValues(func() (*hosts, error) {
		h, err := readHosts(n.home)
		if err == nil {
			h.certs = h.certs[:1]
			h.base = h.base.Clone()
			h.base.DialContext = n.dial
		}
		return h, err
	})
	c := New(Config{CredentialsDir: n.home, Transport: byHost(known)})
	c.hosts = known
	return c
}

func (n *network) dial(ctx context.Context, kind, addr string) (net.Conn, error) {
	to, ok := n.names[addr]
	if !ok && !isLoopback(addr) {
		return nil, &net.OpError{Op: "dial", Net: kind, Err: &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}}
	}
	if !ok {
		to = addr
	}
	return (&net.Dialer{}).DialContext(ctx, kind, to)
}

// requests are those since the last call.
func (n *network) requests() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := strings.Join(n.asked, "\n")
	n.asked = nil
	return all
}

// shelf is a registry with one blob and the manifest library/app:1.
func newShelf(t *testing.T) *registrytest.Server {
	s := registrytest.New(t)
	s.AddManifest("library/app:1", oci.MediaTypeManifest, []byte(`{"schemaVersion":2}`))
	s.AddBlob(oci.MediaTypeLayer, []byte("layer"))
	return s
}

func (n *network) ref(name string) oci.Ref {
	n.Helper()
	ref, err := oci.ParseRef(name)
	if err != nil {
		n.Fatal(err)
	}
	return ref
}

func (n *network) resolve(c *Client, name string) error {
	_, err := c.Resolve(n.Context(), n.ref(name))
	return err
}

// A mirror is asked first for what is of docker.io, as nobody; what it lacks docker.io gives, to whom the user is there.
func TestMirror(t *testing.T) {
	n, a := newNetwork(t), newAuthority(t)
	mirror, theirs := newShelf(t), newShelf(t)
	theirs.AddManifest("library/app:2", oci.MediaTypeManifest, []byte(`{"schemaVersion":2,"annotations":{}}`))
	needs := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="hub"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		theirs.ServeHTTP(w, r)
	})
	n.serve("mirror.example", mirror, &tls.Config{Certificates: []tls.Certificate{a.pair("mirror.example")}})
	n.serve(hubHost, needs, &tls.Config{Certificates: []tls.Certificate{a.pair(hubHost)}})
	for _, host := range []string{"mirror.example", hubHost} {
		n.write("certs.d/"+host+"/ca.crt", certPEM(a.cert))
	}
	n.write("config.json", []byte(`{"auths":{"https://index.docker.io/v1/":{"auth":"YW5uYTpwdw=="}}}`))
	n.write("daemon.json", []byte(`{"debug":true,"registry-mirrors":["https://gone.example","https://mirror.example/"]}`))
	c := n.client()
	if err := n.resolve(c, "app:1"); err != nil {
		t.Fatal(err)
	}
	if got := n.requests(); got != "mirror.example: HEAD /v2/library/app/manifests/1" {
		t.Errorf("asked: %s", got)
	}
	if err := n.resolve(c, "app:2"); err != nil {
		t.Fatal(err)
	}
	got := n.requests()
	if !strings.HasSuffix(got, hubHost+": HEAD /v2/library/app/manifests/2, authorized") || !strings.HasPrefix(got, "mirror.example: ") {
		t.Errorf("asked: %s", got)
	}
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "mirror") && strings.Contains(line, "authorized") {
			t.Errorf("the mirror got docker.io's credentials: %s", got)
		}
	}
}

// A mirror that asks who is there is told nothing that is meant for docker.io, and is passed over.
func TestMirrorWantsCredentials(t *testing.T) {
	n, a := newNetwork(t), newAuthority(t)
	n.serve("mirror.example", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="mirror"`)
		w.WriteHeader(http.StatusUnauthorized)
	}), &tls.Config{Certificates: []tls.Certificate{a.pair("mirror.example")}})
	n.serve(hubHost, newShelf(t), &tls.Config{Certificates: []tls.Certificate{a.pair(hubHost)}})
	for _, host := range []string{"mirror.example", hubHost} {
		n.write("certs.d/"+host+"/ca.crt", certPEM(a.cert))
	}
	n.write("config.json", []byte(`{"auths":{"https://index.docker.io/v1/":{"auth":"YW5uYTpwdw=="}}}`))
	n.write("daemon.json", []byte(`{"registry-mirrors":["https://mirror.example"]}`))
	if err := n.resolve(n.client(), "app:1"); err != nil {
		t.Fatal(err)
	}
	if got := n.requests(); strings.Contains(got, "mirror.example") && strings.Contains(got, "authorized") {
		t.Errorf("asked: %s", got)
	}
}

// A mirror's bytes are verified as anybody's; other registries have no mirrors.
func TestMirrorLies(t *testing.T) {
	n, a := newNetwork(t), newAuthority(t)
	mirror := newShelf(t)
	d := mirror.AddBlob(oci.MediaTypeLayer, []byte("layer"))
	mirror.SetBlob(d.Digest, []byte("rayel"))
	n.serve("mirror.example", mirror, nil)
	n.serve("other.example", newShelf(t), &tls.Config{Certificates: []tls.Certificate{a.pair("other.example")}})
	n.write("certs.d/other.example/ca.crt", certPEM(a.cert))
	n.write("daemon.json", []byte(`{"registry-mirrors":["http://mirror.example"]}`))
	c := n.client()
	r, err := c.Blob(t.Context(), n.ref("app:1"), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); err == nil || !strings.Contains(err.Error(), "content has digest") {
		t.Errorf("error = %v", err)
	}
	n.requests()
	if err := n.resolve(c, "other.example/library/app:1"); err != nil {
		t.Fatal(err)
	}
	if got := n.requests(); strings.Contains(got, "mirror") {
		t.Errorf("asked: %s", got)
	}
}

// An insecure registry may have a certificate that nobody knows, or none; any other may not.
func TestInsecureRegistries(t *testing.T) {
	n, a := newNetwork(t), newAuthority(t)
	unknown := func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{a.pair("someone.example")}} }
	n.serve("tls.example:5000", newShelf(t), unknown())
	n.serve("plain.example:5000", newShelf(t), nil)
	n.serve("10.1.2.3:5000", newShelf(t), nil)
	n.serve("10.9.2.3:5000", newShelf(t), nil)
	n.serve("strict.example:5000", newShelf(t), unknown())
	n.write("daemon.json", []byte(`{"insecure-registries":["tls.example:5000","plain.example","10.1.0.0/16"]}`))
	c := n.client()
	for _, host := range []string{"tls.example:5000", "plain.example:5000", "10.1.2.3:5000"} {
		if err := n.resolve(c, host+"/library/app:1"); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for host, want := range map[string]string{"10.9.2.3:5000": "insecure-registries", "strict.example:5000": "certificate"} {
		if err := n.resolve(c, host+"/library/app:1"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error = %v, want one with %q", host, err, want)
		}
	}
}

// A registry with an authority of its own wants to see the client's certificate.
func TestCertificates(t *testing.T) {
	n, a := newNetwork(t), newAuthority(t)
	host := "own.example:5000"
	n.serve(host, newShelf(t), &tls.Config{Certificates: []tls.Certificate{a.pair("own.example")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool()})
	if err := n.resolve(n.client(), host+"/library/app:1"); err == nil || !strings.Contains(err.Error(), "certs.d") {
		t.Errorf("an authority that nobody knows: %v", err)
	}
	n.write("certs.d/"+host+"/ca.crt", certPEM(a.cert))
	if err := n.resolve(n.client(), host+"/library/app:1"); err == nil {
		t.Error("it let a stranger in")
	}
	mine := a.pair("client")
	n.write("certs.d/"+host+"/client.cert", certPEM(mine.Leaf))
	n.write("certs.d/"+host+"/client.key", keyPEM(t, mine.PrivateKey))
	if err := n.resolve(n.client(), host+"/library/app:1"); err != nil {
		t.Error(err)
	}
}

// What is wrong with a file is said with its name.
func TestWrongHostFiles(t *testing.T) {
	a := newAuthority(t)
	pair := a.pair("client")
	for name, c := range map[string]struct {
		file string
		data string
		want []string
	}{
		"no JSON":          {"daemon.json", "{", []string{"daemon.json", "expected a JSON object"}},
		"a list":           {"daemon.json", "[]", []string{"daemon.json", "expected a JSON object"}},
		"mirror is text":   {"daemon.json", `{"registry-mirrors":"https://a"}`, []string{"daemon.json", `"registry-mirrors"`, "list of strings"}},
		"mirror of ftp":    {"daemon.json", `{"registry-mirrors":["ftp://a"]}`, []string{"daemon.json", `"registry-mirrors"`, `"ftp://a"`, "expected an address"}},
		"mirror with path": {"daemon.json", `{"registry-mirrors":["https://a/b"]}`, []string{`"registry-mirrors"`, "no path"}},
		"mirror with user": {"daemon.json", `{"registry-mirrors":["https://me:pw@a"]}`, []string{`"registry-mirrors"`, "user"}},
		"insecure address": {"daemon.json", `{"insecure-registries":["http://a"]}`, []string{"daemon.json", `"insecure-registries"`, "expected HOST"}},
		"insecure number":  {"daemon.json", `{"insecure-registries":[1]}`, []string{"daemon.json", `"insecure-registries"`, "list of strings"}},
		"too long":         {"daemon.json", strings.Repeat(" ", maxDaemonJSON+1), []string{"daemon.json", "at most 1048576 bytes"}},
		"authority":        {"certs.d/own.example/ca.crt", "x", []string{"certs.d/own.example/ca.crt", "PEM"}},
		"client":           {"certs.d/own.example/client.cert", "x", []string{"certs.d/own.example/client.cert", "client.key"}},
		"client, no key":   {"certs.d/own.example/client.cert", string(certPEM(pair.Leaf)), []string{"client.key"}},
		"key, no client":   {"certs.d/own.example/client.key", string(keyPEM(t, pair.PrivateKey)), []string{"client.key", "expected", "client.cert"}},
		"a huge authority": {"certs.d/own.example/ca.crt", strings.Repeat("x", maxCertFile+1), []string{"ca.crt", "at most"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			n.write(c.file, []byte(c.data))
			err := n.resolve(n.client(), "own.example/library/app:1")
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "me:pw") {
				t.Errorf("a password is told: %v", err)
			}
		})
	}
}

// The first daemon.json counts: the home's, and without one the user's.
func TestWhichDaemonJSON(t *testing.T) {
	n := newNetwork(t)
	config, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	user := filepath.Join(config, "docker", "daemon.json")
	if err := os.MkdirAll(filepath.Dir(user), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(user, []byte(`{"registry-mirrors":["https://user.example"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"https://user.example", "https://home.example"} {
		h, err := readHosts(n.home)
		if err != nil {
			t.Fatal(err)
		}
		if len(h.mirrors) != 1 || h.mirrors[0].String() != want {
			t.Errorf("mirrors %v, want %s", h.mirrors, want)
		}
		n.write("daemon.json", []byte(`{"registry-mirrors":["https://home.example"]}`))
	}
}

// A proxy of the environment is asked for registries elsewhere, and never for those of this machine. net/http reads the environment once
// for a process, so this one is started anew.
func TestProxy(t *testing.T) {
	if here := os.Getenv("TEST_REGISTRY_HERE"); here != "" {
		c := newClient(t)
		n := &network{T: t}
		fmt.Printf("here: %v\nelsewhere: %v\n", n.resolve(c, here+"/library/app:1"), n.resolve(c, "elsewhere.example/library/app:1"))
		return
	}
	var mu sync.Mutex
	var seen []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Method+" "+r.Host)
		mu.Unlock()
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	cmd := exec.Command(os.Args[0], "-test.run=^TestProxy$")
	cmd.Env = append(os.Environ(), "HTTPS_PROXY="+proxy.URL, "HTTP_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=", "TEST_REGISTRY_HERE="+newShelf(t).Host())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "here: <nil>\nelsewhere: resolve elsewhere.example/library/app:1: ") {
		t.Errorf("%v\n%s", err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) == 0 || seen[0] != "CONNECT elsewhere.example:443" || strings.Contains(strings.Join(seen, " "), "127.0.0.1") {
		t.Errorf("the proxy was asked %v", seen)
	}
}

func FuzzDaemonJSON(f *testing.F) {
	f.Add([]byte(`{"registry-mirrors":["https://a"],"insecure-registries":["10.0.0.0/8","a:1"]}`), "10.1.1.1:5")
	f.Add([]byte(`{"registry-mirrors":null}`), "[::1]:80")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, host string) {
		file := filepath.Join(dir, "daemon.json")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		h := &hosts{}
		if err := h.readDaemonJSON(file); err != nil && !strings.Contains(err.Error(), file) {
			t.Errorf("%v doesn't name the file", err)
		}
		h.isInsecure(host)
		for _, m := range h.mirrors {
			if u, err := url.Parse(m.String()); err != nil || u.Host == "" || bytes.ContainsAny([]byte(m.host), "/@") {
				t.Errorf("mirror %v of %q", m, data)
			}
		}
	})
}
