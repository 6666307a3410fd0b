package program

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// tree is a Tree of files in memory; a mode of 0 is that of a program.
type tree map[string]string

func (t tree) fs() fstest.MapFS {
	m := fstest.MapFS{}
	for name, content := range t {
		mode := fs.FileMode(0o755)
		if plain, ok := strings.CutPrefix(name, "-"); ok {
			name, mode = plain, 0o644
		}
		m[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(content), Mode: mode}
	}
	return m
}

func (t tree) Open(name string) (io.ReadCloser, error) { return t.fs().Open(inside(name)) }
func (t tree) Stat(name string) (fs.FileInfo, error)   { return t.fs().Stat(inside(name)) }

func inside(name string) string {
	if name = strings.Trim(name, "/"); name == "" {
		return "."
	}
	return name
}

// elf64 makes a program with the tables that a loader reads and nothing else.
func elf64(machine uint16, loader, runpath string, needed ...string) string {
	le := binary.LittleEndian
	text := "\x00"
	put := func(s string) uint64 {
		at := uint64(len(text))
		text += s + "\x00"
		return at
	}
	var dynamic []byte
	entry := func(tag, value uint64) { dynamic = le.AppendUint64(le.AppendUint64(dynamic, tag), value) }
	for _, n := range needed {
		entry(tagNeeded, put(n))
	}
	if runpath != "" {
		entry(tagRunpath, put(runpath))
	}
	loaderAt := put(loader)
	const heads, base = 64, 0x400000
	count := 2
	if loader != "" {
		count = 3
	}
	dynamicAt := uint64(heads + count*56)
	textAt := dynamicAt + uint64(len(dynamic)) + 32
	entry(tagStrtab, base+textAt)
	entry(0, 0)
	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 57)...)
	le.PutUint16(b[18:], machine)
	le.PutUint64(b[32:], heads)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], uint16(count))
	header := func(kind uint32, at, address, size uint64) {
		h := make([]byte, 56)
		le.PutUint32(h, kind)
		le.PutUint64(h[8:], at)
		le.PutUint64(h[16:], address)
		le.PutUint64(h[32:], size)
		b = append(b, h...)
	}
	header(segmentLoad, 0, base, 1<<20)
	header(segmentDynamic, dynamicAt, base+dynamicAt, uint64(len(dynamic)))
	if loader != "" {
		header(segmentInterp, textAt+loaderAt, base+textAt+loaderAt, uint64(len(loader)+1))
	}
	return string(b) + string(dynamic) + text
}

const amd64, arm64 = 62, 183

func TestExamine(t *testing.T) {
	glibc := tree{"/lib64/ld.so": elf64(amd64, "", ""), "/lib/x86_64-linux-gnu/libc.so.6": elf64(amd64, "", ""), "/usr/lib/libdeep.so": elf64(amd64, "", "", "libdeeper.so", "libc.so.6")}
	on := func(extra tree) tree {
		all := tree{"/bin/sh": elf64(amd64, "", "")}
		for _, m := range []tree{glibc, extra} {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	for _, tt := range []struct {
		name    string
		files   tree
		command Command
		want    Report
	}{
		{"nothing to execute", nil, Command{}, Report{Fault: NoCommand}},
		{"a good program", nil, Command{Args: []string{"sh"}}, Report{File: "/bin/sh", Chain: []string{"/bin/sh"}}},
		{"not in PATH", nil, Command{Args: []string{"x"}, Env: []string{"PATH=/a:/b"}}, Report{Fault: NotFound, File: "x", Missing: []string{"x"}, Detail: "/a:/b"}},
		{"no such path, below the working folder", nil, Command{Args: []string{"./x"}, Cwd: "/w"}, Report{Fault: NotFound, File: "/w/x", Missing: []string{"/w/x"}}},
		{"not executable", tree{"-/x": "#!/bin/sh\n"}, Command{Args: []string{"/x"}}, Report{Fault: NotExecutable, File: "/x", Chain: []string{"/x"}}},
		{"a folder", nil, Command{Args: []string{"/bin"}}, Report{Fault: IsFolder, File: "/bin", Chain: []string{"/bin"}}},
		{"a script", tree{"/x": "#! /bin/sh -e\necho"}, Command{Args: []string{"/x"}}, Report{File: "/bin/sh", Chain: []string{"/x", "/bin/sh"}}},
		{"a script of what is not there", tree{"/x": "#!/bin/bash\n"}, Command{Args: []string{"/x"}}, Report{Fault: NoInterpreter, File: "/x", Missing: []string{"/bin/bash"}, Chain: []string{"/x"}}},
		{"a script from Windows", tree{"/x": "#!/bin/sh\r\n"}, Command{Args: []string{"/x"}}, Report{Fault: CarriageReturn, File: "/x", Missing: []string{"/bin/sh"}, Chain: []string{"/x"}}},
		{"a script of itself", tree{"/x": "#!/x\n"}, Command{Args: []string{"/x"}}, Report{Fault: TooManyScripts, File: "/x", Chain: []string{"/x", "/x", "/x", "/x", "/x"}}},
		{"a script without a line", tree{"/x": "#!"}, Command{Args: []string{"/x"}}, Report{Fault: NoInterpreter, File: "/x", Chain: []string{"/x"}, Detail: "its first line names none"}},
		{"text", tree{"/x": "echo"}, Command{Args: []string{"/x"}}, Report{Fault: NotAProgram, File: "/x", Chain: []string{"/x"}}},
		{"empty", tree{"/x": ""}, Command{Args: []string{"/x"}}, Report{Fault: EmptyFile, File: "/x", Chain: []string{"/x"}}},
		{"for Windows", tree{"/x": "MZ\x90"}, Command{Args: []string{"/x"}}, Report{Fault: WrongSystem, File: "/x", Machine: "Windows", Chain: []string{"/x"}}},
		{"for another processor", tree{"/x": elf64(arm64, "", "")}, Command{Args: []string{"/x"}, Machine: "amd64"}, Report{Fault: WrongMachine, File: "/x", Machine: "arm64", Chain: []string{"/x"}}},
		{"without its loader", tree{"/x": elf64(amd64, "/lib/ld-musl.so", "")}, Command{Args: []string{"/x"}}, Report{Fault: NoLoader, File: "/x", Missing: []string{"/lib/ld-musl.so"}, Chain: []string{"/x"}}},
		{"linked, and all there", tree{"/x": elf64(amd64, "/lib64/ld.so", "", "libc.so.6")}, Command{Args: []string{"/x"}}, Report{File: "/x", Chain: []string{"/x"}}},
		{"without a library, and one that a library needs", tree{"/x": elf64(amd64, "/lib64/ld.so", "", "libmine.so", "libdeep.so")}, Command{Args: []string{"/x"}},
			Report{Fault: NoLibrary, File: "/x", Missing: []string{"libdeeper.so", "libmine.so"}, Chain: []string{"/x"}}},
		{"with a library beside it", tree{"/opt/bin/x": elf64(amd64, "/lib64/ld.so", "$ORIGIN/../lib", "libmine.so"), "/opt/lib/libmine.so": elf64(amd64, "", "")}, Command{Args: []string{"/opt/bin/x"}},
			Report{File: "/opt/bin/x", Chain: []string{"/opt/bin/x"}}},
		{"with a library where a variable says", tree{"/x": elf64(amd64, "/lib64/ld.so", "", "libmine.so"), "/own/libmine.so": elf64(amd64, "", "")}, Command{Args: []string{"/x"}, Env: []string{"LD_LIBRARY_PATH=/own"}},
			Report{File: "/x", Chain: []string{"/x"}}},
		{"damaged", tree{"/x": "\x7fELF" + strings.Repeat("\xff", 100)}, Command{Args: []string{"/x"}}, Report{Fault: Damaged, File: "/x", Chain: []string{"/x"}, Detail: errDamaged.Error()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Examine(on(tt.files), tt.command)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzExamine(f *testing.F) {
	f.Add([]byte(elf64(amd64, "/lib64/ld.so", "$ORIGIN:/x", "libc.so.6", "x/y")))
	f.Add([]byte("#!/x \r\n"))
	f.Add([]byte("\x7fELF\x01\x02" + strings.Repeat("\x00\x20", 40)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := Examine(tree{"/x": string(data), "/lib64/ld.so": string(data), "/lib/libc.so.6": string(data)}, Command{Args: []string{"/x"}, Machine: "amd64"})
		if len(r.Chain) > maxScripts || len(r.Missing) > maxLibraries {
			t.Errorf("%d scripts, %d missing", len(r.Chain), len(r.Missing))
		}
		if bytes.HasPrefix(data, []byte("\x7fELF")) && r.Fault == NotAProgram {
			t.Error("an ELF file is no program?")
		}
	})
}
