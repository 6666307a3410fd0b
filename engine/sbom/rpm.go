package sbom

import (
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/sbom/rpmdb"
)

// rpmPlaces are the files in which rpm keeps its list: of each folder that it has had, each kind of database that it has had.
func rpmPlaces() []string {
	var list []string
	for _, dir := range []string{"usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm"} {
		for _, base := range []string{"rpmdb.sqlite", "Packages.db", "Packages"} {
			list = append(list, dir+"/"+base)
		}
	}
	return list
}

// rpm reads rpm's list of packages, whatever database it is in. Keys that rpm keeps as if they were packages are left out.
func (c *collector) rpm(f File) []Package {
	var log rpmdb.File
	if c.tree != nil && strings.HasSuffix(f.Path, ".sqlite") {
		if v := c.tree.Versions(f.Path + "-wal"); len(v) > 0 && v[len(v)-1].Data != nil && v[len(v)-1].Size > 0 {
			log = rpmdb.File{Data: v[len(v)-1].Data, Size: v[len(v)-1].Size}
		}
	}
	var list []Package
	n := 0
	err := rpmdb.Read(rpmdb.File{Data: f.Data, Size: f.Size}, log, func(blob []byte) {
		n++
		h, err := rpmdb.ParseHeader(blob)
		if err != nil {
			c.warn(f.Path, 0, "package %d: %v", n, err)
			return
		}
		if h.Name == "gpg-pubkey" {
			return
		}
		list = append(list, c.rpmPackage(f, h))
	})
	if err != nil {
		c.warn(f.Path, 0, "%v", err)
	}
	return list
}

func (c *collector) rpmPackage(f File, h rpmdb.Header) Package {
	p := Package{Type: RPM, Namespace: c.found.Distro.ID, Name: h.Name, Version: h.Version + "-" + h.Release, Arch: h.Arch, Supplier: h.Vendor,
		Path: f.Path, Layer: f.Layer}
	if h.HasEpoch {
		p.Version = strconv.Itoa(h.Epoch) + ":" + p.Version
	}
	if h.License != "" && len(h.License) <= maxField {
		p.Licenses = []string{h.License}
	}
	// NAME-VERSION-RELEASE.src.rpm
	if nvr, ok := strings.CutSuffix(h.SourceRPM, ".src.rpm"); ok {
		nv, release, _ := cutLast(nvr, "-")
		name, version, ok := cutLast(nv, "-")
		if ok && name != p.Name {
			p.Source = name
		}
		if v := version + "-" + release; ok && v != h.Version+"-"+h.Release {
			p.SourceVersion = v
		}
	}
	return p
}
