package passwd

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
)

type accounts map[string]string

func (a accounts) Open(path string) (io.ReadCloser, error) {
	body, ok := a[path]
	if !ok {
		return nil, driver.ErrNotFound
	}
	return io.NopCloser(strings.NewReader(body)), nil
}

var usual = accounts{
	"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\nu:x:1000:1000::/home/u:/bin/sh\n4294967296:x:0:0::/:/bin/sh\n" +
		"77:x:0:0::/:/bin/sh\nhuge:x:4294967296:0::/:/bin/sh\nplain:x:1001:1002:::\n",
	"/etc/group": "root:x:0:\ng:x:50:u,other\nh:x:51:other,u\nu:x:1000:\nbad:x:99999999999:u\n",
}

func TestLookUp(t *testing.T) {
	tests := []struct {
		spec  string
		extra []string
		want  Account
		err   string
	}{
		{spec: "u", want: Account{1000, 1000, []uint32{1000, 50, 51}, "/home/u"}},
		{spec: "1000", want: Account{1000, 1000, []uint32{1000, 50, 51}, "/home/u"}},
		{spec: "u:g", want: Account{1000, 50, []uint32{50}, "/home/u"}},
		{spec: "u:7", want: Account{1000, 7, []uint32{7}, "/home/u"}},
		{spec: "u:", want: Account{1000, 1000, []uint32{1000, 50, 51}, "/home/u"}},
		{spec: "u", extra: []string{"h", "9"}, want: Account{1000, 1000, []uint32{1000, 50, 51, 9}, "/home/u"}},
		{spec: "u:g", extra: []string{"h"}, want: Account{1000, 50, []uint32{50, 51}, "/home/u"}},
		{spec: "5000", want: Account{5000, 0, []uint32{0}, "/"}},
		{spec: "5000:6000", want: Account{5000, 6000, []uint32{6000}, "/"}},
		{spec: "plain", want: Account{1001, 1002, []uint32{1002}, "/"}},
		{spec: "", extra: []string{"g"}, want: Account{0, 0, []uint32{0, 50}, "/root"}},
		{spec: "77", want: Account{77, 0, []uint32{0}, "/"}},
		{spec: "2147483647:2147483647", want: Account{1<<31 - 1, 1<<31 - 1, []uint32{1<<31 - 1}, "/"}},
		{spec: "2147483648:2147483648", err: "invalid user 2147483648: uids and gids must be in range 0-2147483647"},
		{spec: "4294967296", err: "invalid user 4294967296: uids and gids must be in range 0-2147483647"},
		{spec: "99999999999999999999999", err: "invalid user 99999999999999999999999: uids and gids must be in range 0-2147483647"},
		{spec: "-1", err: "invalid user -1: uids and gids must be in range 0-2147483647"},
		{spec: "u:4294967296", err: "invalid group 4294967296: uids and gids must be in range 0-2147483647"},
		{spec: "huge", err: "unable to find user huge: no matching entries in passwd file"},
		{spec: "nobody", err: "unable to find user nobody: no matching entries in passwd file"},
		{spec: "u:nogroup", err: "unable to find group nogroup: no matching entries in group file"},
		{spec: "u:bad", err: "unable to find group bad: no matching entries in group file"},
	}
	for _, tt := range tests {
		got, err := LookUp(usual, tt.spec, tt.extra)
		if text := errText(err); text != tt.err {
			t.Errorf("%q: error %q, want %q", tt.spec, text, tt.err)
			continue
		}
		if tt.err == "" {
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("%q: %s", tt.spec, d)
			}
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestLookUpWithoutFiles(t *testing.T) {
	got, err := LookUp(accounts{}, "12:34", nil)
	if err != nil || got.UID != 12 || got.GID != 34 {
		t.Errorf("LookUp(12:34) = %+v, %v", got, err)
	}
}

// TestHugeGroupFile: a file without end and without a newline is read only up to the bound.
func TestHugeGroupFile(t *testing.T) {
	endless := &endlessFiles{}
	_, err := LookUp(endless, "1:g", nil)
	if err == nil || endless.read > 4*maxFile {
		t.Errorf("read %d bytes, error %v", endless.read, err)
	}
}

type endlessFiles struct{ read int }

func (e *endlessFiles) Open(string) (io.ReadCloser, error) { return io.NopCloser(e), nil }
func (e *endlessFiles) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0
	}
	e.read += len(p)
	return len(p), nil
}

func FuzzLookUp(f *testing.F) {
	f.Add("u:g", usual["/etc/passwd"], usual["/etc/group"])
	f.Add("4294967296", "4294967296:x:0:0\n", "")
	f.Fuzz(func(t *testing.T, spec, passwd, group string) {
		who, err := LookUp(accounts{"/etc/passwd": passwd, "/etc/group": group}, spec, nil)
		if err != nil {
			return
		}
		user, _, _ := strings.Cut(spec, ":")
		digits := user != "" && strings.Trim(user, "0123456789") == ""
		if digits && who.UID == 0 && strings.Trim(user, "0") != "" {
			t.Fatalf("number %q became root", user)
		}
		if who.UID > MaxID || who.GID > MaxID || len(who.Groups) == 0 || who.Groups[0] != who.GID {
			t.Fatalf("%q gives %+v", spec, who)
		}
	})
}

func TestOwner(t *testing.T) {
	tests := []struct {
		spec     string
		uid, gid uint32
		err      string
	}{
		{spec: ""}, {spec: "root"}, {spec: "0"},
		{spec: "u", uid: 1000, gid: 1000},
		{spec: "1001", uid: 1001, gid: 1001}, // not the account's group
		{spec: "plain", uid: 1001, gid: 1002},
		{spec: "u:g", uid: 1000, gid: 50},
		{spec: "7:g", uid: 7, gid: 50},
		{spec: "7:root", uid: 7},
		{spec: ":g", gid: 50},
		{spec: "nobody", err: "unable to find user nobody: no matching entries in passwd file"},
		{spec: "u:none", err: "unable to find group none: no matching entries in group file"},
		{spec: "4294967296", err: "invalid user 4294967296: uids and gids must be in range 0-2147483647"},
	}
	for _, tt := range tests {
		uid, gid, err := Owner(usual, tt.spec)
		if uid != tt.uid || gid != tt.gid || errText(err) != tt.err {
			t.Errorf("Owner(%q) = %d, %d, %v, want %d, %d, %q", tt.spec, uid, gid, err, tt.uid, tt.gid, tt.err)
		}
	}
}

func TestRootNeedsNoFiles(t *testing.T) {
	for _, spec := range []string{"", "root", "0", "root:root", "0:0"} {
		got, err := LookUp(accounts{}, spec, nil)
		if d := cmp.Diff(Root(), got); err != nil || d != "" {
			t.Errorf("LookUp(%q): %v %s", spec, err, d)
		}
	}
}
