package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// signer is an authority of certificates that a test makes.
type signer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newSigner(t *testing.T, name string) *signer {
	s := &signer{t: t}
	s.cert, s.key = s.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return s
}

// sign makes a certificate, which is its own authority if there is none yet.
func (s *signer) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(s.t, err)
	c.SerialNumber, c.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-2*time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	parent, by := s.cert, s.key
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	check(s.t, err)
	made, err := x509.ParseCertificate(der)
	check(s.t, err)
	return made, key
}

// server writes a certificate for a server, and its key, and gives the flags that serve with them.
func (s *signer) server(c *x509.Certificate) []string {
	s.t.Helper()
	c.Subject, c.KeyUsage, c.ExtKeyUsage = pkix.Name{CommonName: "registry"}, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	made, key := s.sign(c)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(s.t, err)
	dir := s.t.TempDir()
	cert, private := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	check(s.t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Raw}), 0o600))
	check(s.t, os.WriteFile(private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return []string{"-q", "--tls-cert", cert, "--tls-key", private}
}

// trustedIn makes dir a folder of certificates in which this authority is known, and no other.
func (s *signer) trustedIn(dir string) {
	s.t.Helper()
	check(s.t, os.MkdirAll(dir, 0o700))
	check(s.t, os.WriteFile(filepath.Join(dir, "ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw}), 0o600))
}

func loopbackCertificate() *x509.Certificate {
	return &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
}

// An image goes to a registry with TLS and comes back, where the home's certs.d knows who signed; nothing is sent to one whose certificate is not right, and what is wrong is said.
func TestRegistryTLS(t *testing.T) {
	m, ours, strange := newMachine(t, simName), newSigner(t, "ours"), newSigner(t, "strange")
	m.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
	s := serve(t, filepath.Join(m.dir, "store"), nil, ours.server(loopbackCertificate())...)
	defer s.end()
	name, certs := s.host+"/team/app:1", filepath.Join(m.home, "certs.d", s.host)
	m.must("build", "-q", "-t", name, ".")
	refusedBy := func(want ...string) {
		t.Helper()
		for _, command := range []string{"push", "pull"} {
			r := m.docker(command, name)
			for _, w := range want {
				if r.code != 1 || !strings.Contains(r.err, w) {
					t.Errorf("%s: exit code %d, %q; expected %q", command, r.code, r.err, w)
				}
			}
		}
	}
	refusedBy("400 Bad Request", "may expect TLS", "certs.d/"+s.host)
	strange.trustedIn(certs)
	refusedBy("certificate signed by unknown authority", "put the certificate of who signed its own into certs.d/"+s.host+"/ca.crt")
	ours.trustedIn(certs)
	m.must("push", name)
	id := m.must("image", "inspect", "--format", "{{.Id}} {{.RepoDigests}}", name)
	m.must("rmi", name)
	m.must("pull", name)
	if got := m.must("image", "inspect", "--format", "{{.Id}} {{.RepoDigests}}", name); got != id {
		t.Errorf("pushed %s, pulled %s", id, got)
	}
	onlyModern(t, ours, s.host)
	withSkopeo(t, s.host, ours, strange)
}

// onlyModern wants that old versions of TLS are refused, as are bytes that are no TLS, and that the server goes on afterwards.
func onlyModern(t *testing.T, ours *signer, host string) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(ours.cert)
	if c, err := tls.Dial("tcp", host, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // it is to be refused
		t.Errorf("TLS 1.1 is taken: %v", c.Close())
	}
	c, err := net.Dial("tcp", host)
	check(t, err)
	_, _ = c.Write([]byte{0x16, 3, 1, 0, 5, 1, 0, 0, 0xff, 0xff})
	check(t, c.Close())
	modern, err := tls.Dial("tcp", host, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13})
	check(t, err)
	check(t, modern.Close())
}

// withSkopeo lets skopeo take and bring the image, with the certificate of who signed and with another.
func withSkopeo(t *testing.T, host string, ours, strange *signer) {
	t.Helper()
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Log("skopeo is not installed: its part is left out")
		return
	}
	dir := t.TempDir()
	right, wrong, layout := filepath.Join(dir, "right"), filepath.Join(dir, "wrong"), "oci:"+filepath.Join(dir, "layout")+":1"
	ours.trustedIn(right)
	strange.trustedIn(wrong)
	outside(t, "skopeo", "copy", "--src-cert-dir", right, "docker://"+host+"/team/app:1", layout)
	outside(t, "skopeo", "copy", "--dest-cert-dir", right, layout, "docker://"+host+"/skopeo/app:1")
	want := outside(t, "skopeo", "inspect", "--format", "{{.Digest}}", layout)
	for _, name := range []string{"/team/app:1", "/skopeo/app:1"} {
		if got := outside(t, "skopeo", "inspect", "--cert-dir", right, "--format", "{{.Digest}}", "docker://"+host+name); got != want {
			t.Errorf("%s is %s, expected %s", name, got, want)
		}
	}
	out, err := exec.Command("skopeo", "inspect", "--cert-dir", wrong, "docker://"+host+"/team/app:1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "unknown authority") {
		t.Errorf("skopeo with another authority: %v %s", err, out)
	}
}

// A certificate that is not for this host, or no longer, is refused though its authority is known.
func TestRegistryTLSOfAnother(t *testing.T) {
	m, ours := newMachine(t, simName), newSigner(t, "ours")
	for want, c := range map[string]*x509.Certificate{
		"doesn't contain any IP SANs": {DNSNames: []string{"elsewhere.example"}},
		"has expired":                 {IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(-time.Hour)},
	} {
		s := serve(t, filepath.Join(t.TempDir(), "store"), nil, ours.server(c)...)
		ours.trustedIn(filepath.Join(m.home, "certs.d", s.host))
		if r := m.docker("pull", s.host+"/team/app:1"); r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("exit code %d, %q; expected %q", r.code, r.err, want)
		}
		s.end()
	}
}
