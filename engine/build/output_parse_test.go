package build

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
)

func TestParseOutput(t *testing.T) {
	for spec, want := range map[string]Output{
		"out":                           {Type: OutputLocal, Dest: "out"},
		"./a=b":                         {Type: OutputLocal, Dest: "./a=b"},
		"-":                             {Type: OutputTar, Dest: "-"},
		"type=local,dest=out":           {Type: OutputLocal, Dest: "out"},
		"type=tar":                      {Type: OutputTar, Dest: "-"},
		"type=tar,dest=-":               {Type: OutputTar, Dest: "-"},
		"type=tar,dest=x.tar":           {Type: OutputTar, Dest: "x.tar"},
		`type=tar,"dest=a,b.tar"`:       {Type: OutputTar, Dest: "a,b.tar"},
		"type=image":                    {Type: OutputImage},
		"TYPE=Image,name=x":             {Type: OutputImage, Names: named(t, "x:latest")},
		`type=image,"name=x:1,y:2"`:     {Type: OutputImage, Names: named(t, "x:1", "y:2")},
		"type=image,name=x,push=true":   {Type: OutputImage, Names: named(t, "x"), Push: true},
		"type=registry":                 {Type: OutputImage, Push: true},
		"push=false,type=registry":      {Type: OutputImage},
		"type=registry,name=h.x/y":      {Type: OutputImage, Push: true, Names: named(t, "h.x/y")},
		"type=oci,dest=o.tar":           {Type: OutputOCI, Dest: "o.tar"},
		"type=oci,dest=o,tar=false":     {Type: OutputOCI, Dest: "o", Folder: true},
		"type=oci,dest=o.tar,tar=true":  {Type: OutputOCI, Dest: "o.tar"},
		"type=oci,compression=zstd":     {Type: OutputOCI, Dest: "-", Compression: compression{kind: layer.Zstd}},
		"type=docker":                   {Type: OutputDocker},
		"type=docker,dest=d.tar,name=x": {Type: OutputDocker, Dest: "d.tar", Names: named(t, "x")},
		"type=cacheonly":                {Type: OutputNone},
		"type=image,name=x,push=true,push-by-digest=true": {Type: OutputImage, Names: named(t, "x"), Push: true, ByDigest: true},
		"type=oci,annotation.org.Example.x=1,annotation-manifest.y=a=b": {Type: OutputOCI, Dest: "-",
			Annotations: map[string]string{"org.Example.x": "1", "y": "a=b"}},
		"type=oci,compression=gzip,compression-level=9": {Type: OutputOCI, Dest: "-", Compression: compression{layer.Gzip, 9}},
	} {
		got, err := ParseOutput(spec)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(compression{}), cmpopts.EquateComparable(oci.Ref{})); err != nil || diff != "" {
			t.Errorf("%s: %v%s", spec, err, diff)
		}
	}
}

func TestParseOutputRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                "expected key=value pairs",
		"type=":                           "expected image, registry, local, tar, oci, docker or cacheonly",
		"type=zip,dest=x":                 `type is "zip"`,
		"dest=x,name=y":                   `type is ""`,
		"type=local":                      "needs dest=FOLDER",
		"type=local,dest=-":               "needs dest=FOLDER",
		"type=local,dest=x,tar=true":      `no key "tar": it has dest`,
		"type=cacheonly,dest=x":           "it has none",
		"type=image,dest=x":               `no key "dest": it has name, push`,
		"type=image,annotation=x":         "annotation.NAME",
		"type=image,annotation.=x":        "annotation.NAME",
		"type=image,push=maybe":           "expected true or false",
		"type=image,name=A:b":             "lowercase",
		"type=image,name=":                "invalid reference",
		"type=image,push-by-digest=true":  "needs push=true",
		"type=registry,push-by-digest=1":  "needs name=",
		"type=oci,tar=false":              "needs dest=FOLDER",
		"type=docker,tar=false,dest=x":    `no key "tar"`,
		"type=oci,compression=xz":         "expected uncompressed, gzip or zstd",
		"type=oci,compression-level=10":   "1 to 9 for gzip",
		"type=oci,compression-level=x":    "expected 1 to 9",
		"type=image,oci-mediatypes=false": "not supported",
		"type=tar,dest=a,dest=b":          "twice",
		"type=tar,x":                      "no key=value pair",
		"type=tar\ndest=x":                "one line",
		`type=tar,"dest=x`:                "expected key=value pairs",
		"type=image,name=a@sha256:" + strings.Repeat("a", 64): "with a digest",
	} {
		if o, err := ParseOutput(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %q", spec, o, err, want)
		}
	}
}

func FuzzParseOutput(f *testing.F) {
	for _, s := range []string{"out", "-", "type=tar,dest=x", `type=image,"name=a,b",push=true`, "type=oci,dest=o,tar=false,annotation.a=b", "type=registry,name=x", "a\"b,c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		o, err := ParseOutput(spec)
		if err != nil {
			return
		}
		if _, ok := outputKeys[o.Type]; !ok {
			t.Fatalf("%q has type %q", spec, o.Type)
		}
		if o.Type == OutputLocal && (o.Dest == "" || o.Streams()) || o.Folder && o.Dest == "" || o.Type == OutputTar && o.Dest == "" {
			t.Fatalf("%q has no destination: %+v", spec, o)
		}
		if strings.ContainsRune(o.Dest, 0) {
			t.Fatalf("%q: destination %q", spec, o.Dest)
		}
	})
}
