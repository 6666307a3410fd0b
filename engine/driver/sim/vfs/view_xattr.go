package vfs

import (
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// capability is the attribute that holds a file's capabilities.
const capability = "security.capability"

// The limits of xattr(7).
const (
	maxAttrName  = 255
	maxAttrValue = 64 << 10
)

// Xattrs gives the extended attributes of name itself that the caller may see.
func (v *View) Xattrs(name string) (map[string]string, error) {
	var w walker
	err := v.lookup(&w, name, false)
	if err != nil {
		return nil, pathError("listxattr", name, err)
	}
	x, ok := w.fs.(fsys.Xattrs)
	if !ok {
		return nil, pathError("listxattr", name, syscall.ENOTSUP)
	}
	all, err := x.Xattr(w.rel)
	if err != nil {
		return nil, pathError("listxattr", name, err)
	}
	readable := v.cred.may(&w.attr, mayRead)
	for attr := range all {
		if class, _, _ := strings.Cut(attr, "."); class == "trusted" && !v.admin() || class == "user" && !readable {
			delete(all, attr)
		}
	}
	return all, nil
}

// SetXattr sets an extended attribute of name itself.
func (v *View) SetXattr(name, attr, value string) error {
	err := v.changeXattr(name, attr, func(x fsys.Xattrs, rel string) error {
		if len(value) > maxAttrValue {
			return syscall.E2BIG
		}
		return x.SetXattr(rel, attr, value)
	})
	return pathError("setxattr", name, err)
}

// RemoveXattr removes an extended attribute of name itself; ENODATA if it is not set.
func (v *View) RemoveXattr(name, attr string) error {
	err := v.changeXattr(name, attr, func(x fsys.Xattrs, rel string) error { return x.RemoveXattr(rel, attr) })
	return pathError("removexattr", name, err)
}

func (v *View) changeXattr(name, attr string, change func(fsys.Xattrs, string) error) error {
	if attr == "" || len(attr) > maxAttrName {
		return syscall.ERANGE
	}
	var w walker
	if err := v.lookup(&w, name, false); err != nil {
		return err
	}
	if err := w.writable(); err != nil {
		return err
	}
	if err := v.mayChangeXattr(&w.attr, attr); err != nil {
		return err
	}
	x, ok := w.fs.(fsys.Xattrs)
	if !ok {
		return syscall.ENOTSUP
	}
	return change(x, w.rel)
}

// admin tells whether the process has CAP_SYS_ADMIN.
func (v *View) admin() bool { return v.cred.Can(CapSysAdmin) }

func (v *View) mayChangeXattr(a *fsys.Attr, attr string) error {
	class, rest, dotted := strings.Cut(attr, ".")
	switch {
	case !dotted || rest == "":
		return syscall.ENOTSUP
	case class == "user":
		if a.Kind != fsys.File && a.Kind != fsys.Dir || a.Kind == fsys.Dir && a.Mode&sticky != 0 && !v.cred.owns(a) {
			return syscall.EPERM
		}
		if !v.cred.may(a, mayWrite) {
			return syscall.EACCES
		}
		return nil
	case attr == capability && v.cred.Can(CapSetfcap), (class == "trusted" || class == "security") && v.admin():
		return nil
	case class == "trusted", class == "security":
		return syscall.EPERM
	}
	return syscall.ENOTSUP
}
