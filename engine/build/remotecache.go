package build

import (
	"fmt"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// CacheType is where results of builds are kept for other builds.
type CacheType string

// The types of caches, in docker's words.
const (
	CacheLocal    CacheType = "local"    // an image layout in a folder
	CacheRegistry CacheType = "registry" // an artifact in a registry, or an image there that was built with an inline cache
	CacheInline   CacheType = "inline"   // in the manifest of the image that is built
)

const defaultCacheTag = "latest"

// CacheRef is one --cache-from or --cache-to.
//
// A cache is trusted with what it says: whoever can write to it decides what the steps result in whose keys it has, as with docker. That
// it was damaged, cut off or mixed up is noticed, and costs time only; that somebody put in a layer which the step would not have made is
// not, because nothing but carrying the step out could tell. So a cache that others can write to belongs in no build whose result matters.
// A cache also tells who can read it what the keys are made of: the instructions and the values of the arguments that they use (never
// secrets, which are no part of keys).
type CacheRef struct {
	Type        CacheType
	Ref         oci.Ref       // registry
	Dir         string        // local: the folder
	Tag         string        // local: the name in the folder
	Digest      digest.Digest // local, from: of the manifest; it counts more than Tag
	Max         bool          // to: results of all steps and not of those alone that the image stands on
	IgnoreError bool          // to: an export that does not work is no error of the build
	Compression compression   // to

	from, to bool // it has keys that mean something in that direction only
}

var cacheKeys = map[CacheType][]string{
	CacheLocal:    {"src", "dest", "tag", "digest", "mode", "ignore-error", "compression", "compression-level", "oci-mediatypes", "image-manifest"},
	CacheRegistry: {"ref", "mode", "ignore-error", "compression", "compression-level", "oci-mediatypes", "image-manifest"},
	CacheInline:   {"ref"},
}

// String is where the cache is, in few words.
func (c CacheRef) String() string {
	switch {
	case c.Type == CacheLocal && c.Digest != "":
		return c.Dir + "@" + string(c.Digest)
	case c.Type == CacheLocal:
		return c.Dir + ":" + c.Tag
	case c.Ref.IsZero():
		return string(c.Type)
	}
	return c.Ref.String()
}

// ParseCache reads docker's --cache-from and --cache-to: type=TYPE and further key=value, separated by commas, or a name alone, which is
// that of a registry. CheckFrom and CheckTo tell whether it makes sense as the one or the other.
func ParseCache(spec string) (CacheRef, error) {
	refuse := func(err error) (CacheRef, error) { return CacheRef{}, fmt.Errorf("cache %.200q: %w", spec, err) }
	pairs, alone, err := parsePairs(spec)
	if err != nil {
		return refuse(err)
	}
	if alone != "" {
		pairs = []pair{{"type", string(CacheRegistry)}, {"ref", alone}}
	}
	c := CacheRef{}
	for _, p := range pairs {
		if p.key == "type" {
			c.Type = CacheType(strings.ToLower(p.value))
		}
	}
	known, ok := cacheKeys[c.Type]
	if !ok {
		return refuse(fmt.Errorf("type is %.40q, expected local, registry or inline", string(c.Type)))
	}
	for _, p := range pairs {
		if p.key == "type" {
			continue
		}
		if !slices.Contains(known, p.key) {
			return refuse(fmt.Errorf("type=%s has no key %.100q%s", c.Type, p.key, knownKeys(known)))
		}
		if err := c.set(p); err != nil {
			return refuse(err)
		}
	}
	if err := c.check(); err != nil {
		return refuse(err)
	}
	return c, nil
}

func (c *CacheRef) set(p pair) (err error) {
	switch p.key {
	case "ref":
		c.Ref, err = oci.ParseRef(p.value)
	case "src":
		c.Dir, c.from = p.value, true
	case "dest":
		c.Dir, c.to = p.value, true
	case "tag":
		c.Tag, err = p.value, checkTag(p.value)
	case "digest":
		c.Digest, c.from, err = digest.Digest(p.value), true, oci.CheckDigest(digest.Digest(p.value))
	case "mode":
		c.to, c.Max = true, p.value == "max"
		if p.value != "min" && p.value != "max" {
			err = fmt.Errorf("mode is %.40q, expected min or max", p.value)
		}
	case "ignore-error":
		c.to = true
		c.IgnoreError, err = parseBool(p)
	case "compression":
		c.to, err = true, c.Compression.set(p.value)
	case "compression-level":
		c.to, err = true, c.Compression.setLevel(p.value)
	case "oci-mediatypes", "image-manifest":
		c.to, err = true, c.always(p)
	}
	return err
}

// always takes a key of docker's for which there is one way here.
func (c *CacheRef) always(p pair) error {
	yes, err := parseBool(p)
	if err == nil && !yes {
		err = fmt.Errorf("%s=false is not supported: the cache is a manifest of the image-spec", p.key)
	}
	return err
}

func checkTag(tag string) error {
	if ref, err := oci.ParseName("x:" + tag); err != nil || ref.Tag() != tag {
		return fmt.Errorf("tag is %.140q, expected letters, digits, dots, dashes and underscores", tag)
	}
	return nil
}

func (c *CacheRef) check() error {
	switch {
	case c.from && c.to:
		return fmt.Errorf("it has keys of --cache-from (src, digest) and of --cache-to (dest, mode, ...)")
	case c.Type == CacheLocal && c.Dir == "":
		return fmt.Errorf("type=local needs src=FOLDER or dest=FOLDER")
	case c.Type == CacheRegistry && c.Ref.IsZero():
		return fmt.Errorf("type=registry needs ref=NAME")
	}
	if c.Tag == "" {
		c.Tag = defaultCacheTag
	}
	return c.Compression.check()
}

// CheckFrom reports why c can't be a --cache-from.
func (c CacheRef) CheckFrom() error {
	switch {
	case c.to:
		return fmt.Errorf("cache %s: dest, mode and the like belong to --cache-to; --cache-from has src or ref", c)
	case c.Type == CacheInline && c.Ref.IsZero():
		return fmt.Errorf("cache %s: as --cache-from give the image that has the cache in it: type=registry,ref=NAME", c)
	}
	return nil
}

// CheckTo reports why c can't be a --cache-to.
func (c CacheRef) CheckTo() error {
	switch {
	case c.from:
		return fmt.Errorf("cache %s: src and digest belong to --cache-from; --cache-to has dest", c)
	case c.Type == CacheInline && !c.Ref.IsZero():
		return fmt.Errorf("cache %s: as --cache-to type=inline has no ref: it goes into the image that is built", c)
	case c.Type == CacheRegistry && c.Ref.Digest() != "":
		return fmt.Errorf("cache %s: what is not written yet has no digest: give a tag", c)
	}
	return nil
}
