package world

import (
	"slices"
	"strings"

	"github.com/learn-containers/learn/trace"
)

// Pushed is a manifest in a registry of our own, under a tag or under its digest alone.
type Pushed struct {
	Repository string `json:"repository" expr:"repository"`
	Reference  string `json:"reference" expr:"reference"`
	Digest     string `json:"digest" expr:"digest"`
	Seq        uint64 `json:"seq" expr:"seq"` // the event that told of it
}

func (f *folder) applyRegistry(e trace.Event) {
	p := Pushed{e.Attr("repository").Str(), e.Attr("reference").Str(), e.Attr("digest").Str(), e.Seq}
	switch e.Attr("act").Str() {
	case "takes":
		f.replace(p)
		writable(f, partRegistry, &f.w.Registry)
		f.w.Registry = append(f.w.Registry, p)
	case "deletes":
		f.unpush(p)
	}
}

// replace takes away what a reference stood for.
func (f *folder) replace(p Pushed) {
	f.forget(func(have Pushed) bool { return have.Repository == p.Repository && have.Reference == p.Reference })
}

// unpush takes away what a reference stands for; a digest stands for all of its tags, too.
func (f *folder) unpush(p Pushed) {
	f.forget(func(have Pushed) bool {
		return have.Repository == p.Repository && (have.Reference == p.Reference || strings.Contains(p.Reference, ":") && have.Digest == p.Reference)
	})
}

func (f *folder) forget(gone func(Pushed) bool) {
	if !slices.ContainsFunc(f.w.Registry, gone) {
		return
	}
	writable(f, partRegistry, &f.w.Registry)
	f.w.Registry = slices.DeleteFunc(f.w.Registry, gone)
}
