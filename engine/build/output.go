package build

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
)

// OutputType is what a build's result is written as.
type OutputType string

// The types of outputs, in docker's words. registry is image with push.
const (
	OutputImage  OutputType = "image"     // in the home, perhaps pushed
	OutputLocal  OutputType = "local"     // the tree, unpacked into a folder
	OutputTar    OutputType = "tar"       // the tree, as one archive
	OutputOCI    OutputType = "oci"       // an OCI image layout, as an archive or a folder
	OutputDocker OutputType = "docker"    // what docker save writes; without a destination the same as image
	OutputNone   OutputType = "cacheonly" // nothing: only the cache is filled
)

// DestStdout is the destination that means standard output.
const DestStdout = "-"

// Output is one --output of a build.
type Output struct {
	Type        OutputType
	Dest        string      // file or folder; "-": standard output; empty: none
	Names       []oci.Ref   // of the image; none: those that the build gives
	Push        bool        // image: also to the registries of its names
	ByDigest    bool        // push: under no tag
	Folder      bool        // oci: a folder and not an archive
	Compression compression // of layers that are not compressed yet
	Annotations map[string]string
}

// compression is how layers are compressed on their way out. An empty kind is the output's own choice.
type compression struct {
	kind  layer.Compression
	level int
}

// options are how an image is packed for o. A registry gets compressed layers, as everybody who pulls expects; on a disk of one's own
// compression costs more than it is worth.
func (o Output) options() image.PackOptions {
	c := o.Compression
	if c.kind == "" && o.Push {
		c.kind = layer.Gzip
	}
	return image.PackOptions{Compression: c.kind, Level: c.level, Annotations: o.Annotations}
}

// Stored reports that the image is to be made in the home, under its names.
func (o Output) Stored() bool {
	return o.Type == OutputImage || o.Type == OutputDocker && o.Dest == ""
}

// Streams reports that the output goes to standard output, which nothing else may then be written to.
func (o Output) Streams() bool { return o.Dest == DestStdout }

// outputKeys are the keys that each type knows besides type. annotation stands for annotation.NAME and annotation-manifest.NAME.
var outputKeys = map[OutputType][]string{
	OutputImage:  {"name", "push", "push-by-digest", "oci-mediatypes", "compression", "compression-level", "annotation"},
	OutputLocal:  {"dest"},
	OutputTar:    {"dest"},
	OutputOCI:    {"dest", "tar", "name", "oci-mediatypes", "compression", "compression-level", "annotation"},
	OutputDocker: {"dest", "name", "oci-mediatypes", "compression", "compression-level", "annotation"},
	OutputNone:   {},
}

// ParseOutput reads docker's --output: type=TYPE and further key=value, separated by commas and quoted as CSV is; or a folder alone, which
// is type=local; or "-" alone, which is type=tar to standard output.
func ParseOutput(spec string) (Output, error) {
	refuse := func(err error) (Output, error) { return Output{}, fmt.Errorf("output %.200q: %w", spec, err) }
	pairs, alone, err := parsePairs(spec)
	if err != nil {
		return refuse(err)
	}
	switch {
	case alone == DestStdout:
		return Output{Type: OutputTar, Dest: DestStdout}, nil
	case alone != "":
		return Output{Type: OutputLocal, Dest: alone}, nil
	}
	o := Output{}
	for _, p := range pairs {
		if p.key == "type" {
			o.Type = OutputType(strings.ToLower(p.value))
		}
	}
	if o.Type == "registry" {
		o.Type, o.Push = OutputImage, true
	}
	known, ok := outputKeys[o.Type]
	if !ok {
		return refuse(fmt.Errorf("type is %.40q, expected image, registry, local, tar, oci, docker or cacheonly", string(o.Type)))
	}
	for _, p := range pairs {
		if p.key == "type" {
			continue
		}
		if err := o.set(p, known); err != nil {
			return refuse(err)
		}
	}
	if err := o.check(); err != nil {
		return refuse(err)
	}
	return o, nil
}

// pair is one key=value. Keys are in lower case, but for what follows a dot.
type pair struct{ key, value string }

// parsePairs reads key=value pairs. alone is spec itself if it is a single word without a type.
func parsePairs(spec string) (pairs []pair, alone string, err error) {
	if strings.ContainsAny(spec, "\n\r\x00") {
		return nil, "", fmt.Errorf("expected one line")
	}
	fields, err := csv.NewReader(strings.NewReader(spec)).Read()
	if err != nil || spec == "" {
		return nil, "", fmt.Errorf("expected key=value pairs, separated by commas")
	}
	if len(fields) == 1 && fields[0] == spec && !strings.HasPrefix(spec, "type=") {
		return nil, spec, nil
	}
	seen := map[string]bool{}
	for _, f := range fields {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			return nil, "", fmt.Errorf("%.100q is no key=value pair", f)
		}
		head, tail, dotted := strings.Cut(strings.TrimSpace(key), ".")
		key = strings.ToLower(head)
		if dotted {
			key += "." + tail
		}
		if seen[key] {
			return nil, "", fmt.Errorf("%.100q is there twice", key)
		}
		seen[key] = true
		pairs = append(pairs, pair{key, value})
	}
	return pairs, "", nil
}

// set takes in one pair.
func (o *Output) set(p pair, known []string) (err error) {
	head, name, dotted := strings.Cut(p.key, ".")
	if dotted && (head == "annotation" || head == "annotation-manifest") && name != "" && slices.Contains(known, "annotation") {
		if o.Annotations == nil {
			o.Annotations = map[string]string{}
		}
		o.Annotations[name] = p.value
		return nil
	}
	if !slices.Contains(known, p.key) || p.key == "annotation" {
		return fmt.Errorf("type=%s has no key %.100q%s", o.Type, p.key, knownKeys(known))
	}
	switch p.key {
	case "dest":
		o.Dest = p.value
	case "name":
		o.Names, err = parseNames(p.value)
	case "push":
		o.Push, err = parseBool(p)
	case "push-by-digest":
		o.ByDigest, err = parseBool(p)
	case "tar":
		o.Folder, err = parseBool(p)
		o.Folder = !o.Folder
	case "oci-mediatypes":
		var yes bool
		if yes, err = parseBool(p); err == nil && !yes {
			err = fmt.Errorf("oci-mediatypes=false is not supported: images leave with the media types of the image-spec, which docker reads too")
		}
	case "compression":
		err = o.Compression.set(p.value)
	case "compression-level":
		err = o.Compression.setLevel(p.value)
	}
	return err
}

func knownKeys(known []string) string {
	if len(known) == 0 {
		return ": it has none"
	}
	return ": it has " + strings.Replace(strings.Join(known, ", "), "annotation", "annotation.NAME", 1)
}

func parseBool(p pair) (bool, error) {
	b, err := strconv.ParseBool(p.value)
	if err != nil {
		return false, fmt.Errorf("%s is %.40q, expected true or false", p.key, p.value)
	}
	return b, nil
}

func parseNames(list string) ([]oci.Ref, error) {
	var refs []oci.Ref
	for name := range strings.SplitSeq(list, ",") {
		ref, err := oci.ParseRef(name)
		if err == nil && ref.Digest() != "" {
			err = fmt.Errorf("a name with a digest can't be given to an image")
		}
		if err != nil {
			return nil, fmt.Errorf("name %.200q: %w", name, err)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

func (c *compression) set(name string) error {
	switch name {
	case "uncompressed":
		c.kind = layer.None
	case "gzip", "zstd":
		c.kind = layer.Compression(name)
	default:
		return fmt.Errorf("compression is %.40q, expected uncompressed, gzip or zstd", name)
	}
	return nil
}

func (c *compression) setLevel(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 22 {
		return fmt.Errorf("compression-level is %.40q, expected 1 to 9 for gzip, 1 to 22 for zstd", text)
	}
	c.level = n
	return nil
}

func (c compression) check() error {
	if c.kind != layer.Zstd && c.level > 9 {
		return fmt.Errorf("compression-level is %d, expected 1 to 9 for gzip", c.level)
	}
	return nil
}

// check looks at what keys mean together.
func (o *Output) check() error {
	switch {
	case o.Type == OutputLocal && (o.Dest == "" || o.Dest == DestStdout):
		return fmt.Errorf("type=local needs dest=FOLDER")
	case o.Folder && (o.Dest == "" || o.Dest == DestStdout):
		return fmt.Errorf("tar=false needs dest=FOLDER")
	case o.ByDigest && !o.Push:
		return fmt.Errorf("push-by-digest needs push=true")
	case o.ByDigest && len(o.Names) == 0:
		return fmt.Errorf("push-by-digest needs name=REPOSITORY")
	}
	if o.Dest == "" && (o.Type == OutputTar || o.Type == OutputOCI) {
		o.Dest = DestStdout
	}
	return o.Compression.check()
}
