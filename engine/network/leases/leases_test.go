package leases

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/learn-containers/learn/engine/network"
)

func lease(n byte, address string) network.Lease {
	return network.Lease{Network: strings.Repeat("f", 64), Container: strings.Repeat(string('a'+n), 64), Name: "c", Names: []string{"c", "alias"},
		Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}
}

func compare(t *testing.T, dir string, want ...network.Lease) {
	t.Helper()
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWrittenLeasesAreReadInTheOrderOfTheirAddresses(t *testing.T) {
	dir := t.TempDir()
	first, second := lease(1, "172.18.0.2/16"), lease(0, "172.18.0.10/16")
	for _, l := range []network.Lease{second, first} {
		if err := Write(dir, l); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, dir, first, second)
	first.Name = "renamed"
	if err := Write(dir, first); err != nil {
		t.Fatal(err)
	}
	compare(t, dir, first, second)
	for _, want := range []bool{true, false} {
		if there, err := Remove(dir, first.Container); err != nil || there != want {
			t.Errorf("remove: %v, %v, want %v", there, err, want)
		}
	}
	compare(t, dir, second)
}

func TestWhatIsNoLeaseIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	compare(t, filepath.Join(dir, "none"))
	good := lease(0, "172.18.0.2/16")
	if err := Write(dir, good); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, good.Container))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		strings.Repeat("b", 64): string(whole),                // another's
		strings.Repeat("c", 64): string(whole[:len(whole)/2]), // cut off
		strings.Repeat("d", 64): "",
		"note":                  "{}",
		"." + good.Container:    string(whole),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, dir, good)
	if there, err := Remove(dir, "../"+filepath.Base(dir)+"/note"); there || err != nil {
		t.Errorf("a path was taken for an id: %v, %v", there, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"Container":"` + strings.Repeat("a", 64) + `","Addresses":["172.18.0.2/16"]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir, id := t.TempDir(), strings.Repeat("a", 64)
		if err := os.WriteFile(filepath.Join(dir, id), data, 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := Read(dir)
		if err != nil || len(all) > 1 || len(all) == 1 && all[0].Container != id {
			t.Errorf("%v, %v", all, err)
		}
	})
}
