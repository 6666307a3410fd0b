package vuln

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/sbom"
)

func record(id, ecosystem, name, ranges string, more ...string) string {
	return fmt.Sprintf(`{"id":%q,"modified":"2024-01-02T03:04:05Z","summary":"bad","affected":[{"package":{"ecosystem":%q,"name":%q},%s}]%s}`, id, ecosystem, name, ranges, strings.Join(more, ""))
}

func events(kind string, list ...string) string {
	var words []string
	for i := 0; i < len(list); i += 2 {
		words = append(words, fmt.Sprintf(`{%q:%q}`, list[i], list[i+1]))
	}
	return fmt.Sprintf(`"ranges":[{"type":%q,"events":[%s]}]`, kind, strings.Join(words, ","))
}

// database writes records to a folder: one file each, those of one ecosystem into an archive.
func database(t testing.TB, loose, packed []string) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, data []byte) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range loose {
		put(fmt.Sprintf("files/%d.json", i), []byte(r))
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, r := range packed {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%d.json", i), Method: []uint16{zip.Deflate, zip.Store}[i%2]})
		if err == nil {
			_, err = w.Write([]byte(r))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = z.Close()
	if len(packed) > 0 {
		put("Debian/all.zip", b.Bytes())
	}
	return dir
}

func found(t testing.TB, dir string, inv sbom.Inventory) ([]string, []string) {
	t.Helper()
	var warnings []string
	db, err := Open(context.Background(), dir, t.TempDir(), func(s string) { warnings = append(warnings, s) })
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := Scan(context.Background(), db, inv)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range r.Findings {
		list = append(list, fmt.Sprintf("%s %s fixed=%s %s %.1f", f.Package.Name, f.ID, f.Fixed, f.Severity, f.Score))
	}
	return list, warnings
}

func TestScan(t *testing.T) {
	cvss := `,"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`
	packed := []string{
		record("DEBIAN-1", "Debian:12", "glibc", events("ECOSYSTEM", "introduced", "0", "fixed", "2.36-9+deb12u1"), cvss),
		record("DEBIAN-2", "Debian:11", "glibc", events("ECOSYSTEM", "introduced", "0")),
		record("DEBIAN-3", "Debian:12", "glibc", events("ECOSYSTEM", "introduced", "2.37")),
		record("DEBIAN-4", "Debian:12", "libc6", events("ECOSYSTEM", "introduced", "0")), // binary packages have no records
		record("DEBIAN-5", "Debian:12", "glibc", events("ECOSYSTEM", "introduced", "0"), `,"withdrawn":"2024-01-03T00:00:00Z"`),
		record("DEBIAN-6", "Debian:12", "glibc", events("ECOSYSTEM", "introduced", "0", "last_affected", "2.36-8")),
		record("DEBIAN-7", "Debian:12", "glibc", `"ecosystem_specific":{"urgency":"low"},`+events("ECOSYSTEM", "introduced", "0", "last_affected", "2.36-9")),
	}
	loose := []string{
		record("GO-1", "Go", "example.org/tool", events("SEMVER", "introduced", "0", "fixed", "1.0.1", "introduced", "1.2.0-0", "fixed", "1.2.3"), `,"database_specific":{"severity":"MODERATE"},"aliases":["CVE-1"]`),
		record("GO-2", "Go", "stdlib", events("SEMVER", "introduced", "1.21.0-0", "fixed", "1.21.5")),
		record("NPM-1", "npm", "@a/b", `"versions":["1.0.0"]`),
		record("NPM-2", "npm", "b", `"versions":["1.0.0"]`),
		record("PY-1", "PyPI", "foo-bar", events("ECOSYSTEM", "introduced", "0", "fixed", "2.0rc1")),
		record("PY-2", "PyPI", "foo-bar", events("GIT", "introduced", "0")),
		record("PY-3", "PyPI", "foo-bar", events("ECOSYSTEM", "introduced", "0", "limit", "1.0")),
		"nonsense", `{"summary":"no id"}`,
	}
	inv := sbom.Inventory{Distro: sbom.Distro{ID: "debian", VersionID: "12"}, Packages: []sbom.Package{
		{Type: sbom.Deb, Name: "libc6", Version: "2.36-9", Source: "glibc"}, {Type: sbom.Golang, Name: "example.org/tool", Version: "v1.2.1"}, {Type: sbom.Golang, Name: "stdlib", Version: "1.21rc2"},
		{Type: sbom.NPM, Namespace: "@a", Name: "b", Version: "1.0.0"}, {Type: sbom.PyPI, Name: "Foo.Bar", Version: "2.0b1"}, {Type: sbom.Golang, Name: "x", Version: "(devel)"},
	}}
	got, warnings := found(t, database(t, loose, packed), inv)
	want := []string{"libc6 DEBIAN-1 fixed=2.36-9+deb12u1 critical 9.8", "example.org/tool GO-1 fixed=1.2.3 medium 0.0", "libc6 DEBIAN-7 fixed= low 0.0", "b NPM-1 fixed= unknown 0.0",
		"Foo.Bar PY-1 fixed=2.0rc1 unknown 0.0", "stdlib GO-2 fixed=1.21.5 unknown 0.0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if all := strings.Join(warnings, "\n"); len(warnings) != 2 || !strings.Contains(all, "files/7.json: invalid character") || !strings.Contains(all, "files/8.json: it is no OSV record") {
		t.Errorf("warnings:\n%s", all)
	}
}

func TestDistributions(t *testing.T) {
	always := events("ECOSYSTEM", "introduced", "0")
	dir := database(t, []string{record("A", "Alpine:v3.18", "musl", always), record("A2", "Alpine:v3.19", "musl", always), record("R", "Red Hat:enterprise_linux:9::baseos", "bash", always), record("R8", "Red Hat:enterprise_linux:8::baseos", "bash", always),
		record("O", "Rocky Linux:9", "bash", always), record("L", "AlmaLinux:9", "bash", always), record("U", "Ubuntu:22.04:LTS", "bash", always), record("E", "Rocky Linux:9", "srcs", events("ECOSYSTEM", "introduced", "0", "fixed", "1:2-3"))}, nil)
	for _, tc := range []struct {
		distro  sbom.Distro
		p       sbom.Package
		want    string
		skipped bool
	}{
		{sbom.Distro{ID: "alpine", VersionID: "3.18.4"}, sbom.Package{Type: sbom.Apk, Name: "musl-utils", Source: "musl", Version: "1-r0"}, "A", false},
		{sbom.Distro{ID: "rhel", VersionID: "9.3"}, sbom.Package{Type: sbom.RPM, Name: "bash", Version: "5-1"}, "R", false},
		{sbom.Distro{ID: "rocky", VersionID: "9.3"}, sbom.Package{Type: sbom.RPM, Name: "bash", Version: "5-1"}, "O", false},
		{sbom.Distro{ID: "rocky", VersionID: "9.3"}, sbom.Package{Type: sbom.RPM, Name: "lib", Source: "srcs", Version: "2-4"}, "E", false},
		{sbom.Distro{ID: "almalinux", VersionID: "9.3"}, sbom.Package{Type: sbom.RPM, Name: "bash", Version: "5-1"}, "L", false},
		{sbom.Distro{ID: "ubuntu", VersionID: "22.04"}, sbom.Package{Type: sbom.Deb, Name: "bash", Version: "5-1"}, "U", false},
		{sbom.Distro{ID: "odd"}, sbom.Package{Type: sbom.Deb, Name: "bash", Version: "5-1"}, "", true},
	} {
		got, _ := found(t, dir, sbom.Inventory{Distro: tc.distro, Packages: []sbom.Package{tc.p}})
		if tc.want == "" && len(got) != 0 || tc.want != "" && (len(got) != 1 || !strings.Contains(got[0], " "+tc.want+" ")) {
			t.Errorf("%s: %v, want %s", tc.distro.ID, got, tc.want)
		}
	}
}

// An index is used again as long as the files are the same, and made anew when they are not.
func TestIndex(t *testing.T) {
	dir, cache := database(t, []string{record("NPM-1", "npm", "a", `"versions":["1"]`)}, nil), t.TempDir()
	open := func() *DB {
		db, err := Open(context.Background(), dir, cache, func(s string) { t.Error(s) })
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	open().Close()
	name := filepath.Join(cache, stampName(dir))
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	db := open()
	if after, _ := os.Stat(name); !os.SameFile(before, after) || db.Records != 1 || db.Newest.UTC().Format("2006-01-02") != "2024-01-02" {
		t.Errorf("made again, or %d records, %v", db.Records, db.Newest)
	}
	db.Close()
	if err := os.WriteFile(filepath.Join(dir, "more.json"), []byte(record("NPM-2", "npm", "a", `"versions":["1"]`)), 0o644); err != nil {
		t.Fatal(err)
	}
	db = open()
	defer db.Close()
	n := 0
	if err := db.Lookup("npm", "a", func(Record) error { n++; return nil }); err != nil || n != 2 || db.Records != 2 {
		t.Errorf("%d of %d, %v", n, db.Records, err)
	}
	if err := os.WriteFile(name, []byte("damaged\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	open().Close()
}

func TestMissing(t *testing.T) {
	for name, dir := range map[string]string{"no such": filepath.Join(t.TempDir(), "x"), "empty": t.TempDir(), "nothing in it": database(t, []string{"{}"}, nil)} {
		_, err := Open(context.Background(), dir, t.TempDir(), func(string) {})
		if _, ok := err.(interface{ Error() string }); !ok || !strings.Contains(err.Error(), "open vulnerability database") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCVSS(t *testing.T) {
	for v, want := range map[string]float64{
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 9.8, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H": 10, "CVSS:3.0/AV:L/AC:H/PR:L/UI:R/S:U/C:L/I:N/A:N": 2.2,
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N": 6.1, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H": 7.5, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N": 0,
	} {
		if got, ok := CVSS(v); !ok || got != want {
			t.Errorf("%s: %v, %v, want %v", v, got, ok, want)
		}
	}
	for _, v := range []string{"", "CVSS:4.0/AV:N", "CVSS:3.1/AV:N", "AV:N/AC:L/Au:N/C:P/I:P/A:P"} {
		if got, ok := CVSS(v); ok {
			t.Errorf("%s: %v", v, got)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(record("A", "npm", "a", events("SEMVER", "introduced", "0", "fixed", "1.0.1", "limit", "*")), "1.0")
	f.Add(record("A", "npm", "a", `"versions":["1"]`), "1")
	f.Fuzz(func(t *testing.T, data, version string) {
		r, err := ParseRecord([]byte(data))
		if err != nil {
			return
		}
		q := query{ecosystem: "npm", names: []string{"a"}, version: version, order: CompareSemver}
		if finding, hit := q.match(r, "a"); hit && (finding.ID == "" || finding.Severity > Critical) {
			t.Errorf("%+v", finding)
		}
	})
}
