package build_test

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// special is an archive of what only a real machine can hold.
func special(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o711, Uid: 11, Gid: 12},
		{Typeflag: tar.TypeReg, Name: "d/f", Mode: 0o4750, Uid: 13, Gid: 14, Size: 4, PAXRecords: map[string]string{"SCHILY.xattr.user.k": "v"}},
		{Typeflag: tar.TypeLink, Name: "d/g", Linkname: "d/f", Mode: 0o4750, Uid: 13, Gid: 14},
		{Typeflag: tar.TypeChar, Name: "d/null", Mode: 0o666, Devmajor: 1, Devminor: 3},
		{Typeflag: tar.TypeFifo, Name: "d/pipe", Mode: 0o600},
		{Typeflag: tar.TypeSymlink, Name: "d/l", Linkname: "/etc/passwd", Mode: 0o777},
	} {
		h.ModTime = time.Unix(1000, 0)
		check(t, w.WriteHeader(&h))
		if h.Size > 0 {
			_, err := w.Write([]byte("text"))
			check(t, err)
		}
	}
	check(t, w.Close())
	return b.String()
}

// TestRealCopies: devices, pipes, extended attributes, hard links, setuid and owners go from an archive into a stage and from there on;
// a huge file with a hole arrives.
func TestRealCopies(t *testing.T) {
	k := newKernel(t)
	k.write("a.tar", special(t))
	sparse, err := os.Create(filepath.Join(k.dir, "sparse"))
	check(t, err)
	_, err = sparse.WriteAt([]byte("end"), 64<<20)
	check(t, err)
	check(t, sparse.Close())
	const df = `FROM bb AS one
ADD a.tar /t
FROM bb
COPY --from=one /t /u
COPY --link --chown=3:4 sparse /bin2/
COPY --chmod=u=rwX,go= sparse /private/
RUN stat -c '%n %a %u:%g %h %t:%T %F' /u/d/*; stat -c '%n %a %s %u:%g' /bin2/sparse /private/sparse
`
	first, err := k.build(context.Background(), df)
	if err != nil {
		t.Fatalf("%v\n%s", err, k.out.String())
	}
	for _, want := range []string{"/u/d/f 4750 13:14 2 0:0 regular file\n", "/u/d/g 4750 13:14 2 0:0 regular file\n", "/u/d/null 666 0:0 1 1:3 character special file\n", "/u/d/pipe 600 0:0 1 0:0 fifo\n",
		"/u/d/l 777 0:0 1 0:0 symbolic link\n", "/bin2/sparse 644 67108867 3:4\n", "/private/sparse 600 67108867 0:0\n"} {
		if !strings.Contains(k.out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, k.out.String())
		}
	}
	layers := first.Image.Layers
	tree, err := k.snapshots.OpenChain(context.Background(), layers[len(layers)-1].ChainID)
	check(t, err)
	defer tree.Close()
	xattrs, err := tree.(interface {
		Xattrs(path string) (map[string]string, error)
	}).Xattrs("/u/d/f")
	if err != nil || xattrs["user.k"] != "v" {
		t.Errorf("extended attributes %v, %v", xattrs, err)
	}
	again, err := k.build(context.Background(), df)
	check(t, err)
	if again.Misses != 0 || again.Image.ID != first.Image.ID {
		t.Errorf("again: %d misses, image %s, want none and %s", again.Misses, again.Image.ID, first.Image.ID)
	}
	k.clean()
}
