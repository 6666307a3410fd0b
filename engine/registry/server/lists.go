package server

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/server/depot"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	defaultRepositories = 100 // in one page of the catalog, where the client names no number
	maxRepositories     = 1000
	maxTagList          = 10_000
)

// page is which part of a list a client asks for.
type page struct {
	n    int
	last string
}

// parsePage reads the parameters n and last; n is never more than most, whatever is asked for.
func parsePage(query url.Values, usual, most int) (page, error) {
	p := page{usual, query.Get("last")}
	if n := query.Get("n"); n != "" {
		v, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			return page{}, refusef(http.StatusBadRequest, codePageInvalid, "n=%.40q: expected a number of entries", n)
		}
		p.n = int(min(v, uint64(most)))
	}
	return p, nil
}

// cut takes the page out of a sorted list; more tells that something follows.
func (p page) cut(list []string, compare func(a, b string) int) (part []string, more bool) {
	if p.last != "" {
		i, found := slices.BinarySearchFunc(list, p.last, compare)
		if found {
			i++
		}
		list = list[i:]
	}
	if len(list) > p.n {
		return list[:p.n], p.n > 0
	}
	return list, false
}

// linkNext tells where the next page is.
func (x *exchange) linkNext(n int, last string, more url.Values) {
	if more == nil {
		more = url.Values{}
	}
	if n > 0 {
		more.Set("n", strconv.Itoa(n))
	}
	more.Set("last", last)
	x.w.Header().Set("Link", "<"+x.r.URL.Path+"?"+more.Encode()+`>; rel="next"`)
}

// catalog lists repositories.
func (x *exchange) catalog() error {
	p, err := parsePage(x.r.URL.Query(), defaultRepositories, maxRepositories)
	if err != nil {
		return err
	}
	all, err := x.depot.Repositories()
	if err != nil {
		return err
	}
	part, more := p.cut(all, strings.Compare)
	if more {
		x.linkNext(p.n, part[len(part)-1], nil)
	}
	return x.encode("application/json", struct {
		Repositories []string `json:"repositories"`
	}{append([]string{}, part...)})
}

// tags lists a repository's tags.
func (x *exchange) tags() error {
	p, err := parsePage(x.r.URL.Query(), maxTagList, maxTagList)
	if err != nil {
		return err
	}
	all, err := x.depot.Tags(x.repo)
	if err != nil {
		return err
	}
	part, more := p.cut(all, depot.CompareTags)
	if more {
		x.linkNext(p.n, part[len(part)-1], nil)
	}
	return x.encode("application/json", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{x.repo, append([]string{}, part...)})
}

func (x *exchange) encode(mediaType string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return x.json(mediaType, data)
}

// referrers lists the manifests that refer to another one, as an index (distribution-spec, "Listing Referrers").
func (x *exchange) referrers() error {
	query := x.r.URL.Query()
	kind, last := query.Get("artifactType"), query.Get("last")
	found, err := x.depot.Referrers(x.repo, x.digest())
	if err != nil {
		return err
	}
	index := v1.Index{MediaType: oci.MediaTypeIndex, Manifests: []v1.Descriptor{}}
	index.SchemaVersion = 2
	size := 0
	for _, m := range found {
		d, err := x.referrer(m)
		if err != nil {
			return err
		}
		if string(m.Digest) <= last || kind != "" && d.ArtifactType != kind {
			continue
		}
		line, err := json.Marshal(d)
		if err != nil {
			return err
		}
		if size += len(line) + 1; size > oci.MaxJSON-1024 && len(index.Manifests) > 0 {
			more := url.Values{}
			if kind != "" {
				more.Set("artifactType", kind)
			}
			x.linkNext(0, string(index.Manifests[len(index.Manifests)-1].Digest), more)
			break
		}
		index.Manifests = append(index.Manifests, d)
	}
	if kind != "" {
		x.w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	return x.encode(oci.MediaTypeIndex, index)
}

// referrer describes a manifest that refers to another one.
func (x *exchange) referrer(m depot.Manifest) (v1.Descriptor, error) {
	data, err := x.depot.Read(m)
	if err != nil {
		return v1.Descriptor{}, refuse(http.StatusInternalServerError, codeUnknown, err)
	}
	needs, err := depot.Parse(m.MediaType, data)
	if err != nil {
		return v1.Descriptor{}, refuse(http.StatusInternalServerError, codeUnknown, err)
	}
	return v1.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size, ArtifactType: needs.ArtifactType, Annotations: needs.Annotations}, nil
}
