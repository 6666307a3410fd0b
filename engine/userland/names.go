package userland

import (
	"strconv"
	"strings"
)

// account is one line of /etc/passwd or /etc/group.
type account struct {
	name string
	id   int
	rest []string // the fields after the id
}

// accounts reads a file of the form of passwd(5) and group(5); a missing file has none.
func (t *task) accounts(file string) []account {
	data, err := t.readFile(file)
	if err != nil {
		return nil
	}
	var all []account
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(f) < 3 {
			continue
		}
		if id, err := strconv.Atoi(f[2]); err == nil {
			all = append(all, account{f[0], id, f[3:]})
		}
	}
	return all
}

// directory caches both account files for one program.
type directory struct {
	t             *task
	users, groups map[int]string
}

func (d *directory) user(id int) string {
	if d.users == nil {
		d.users = byID(d.t.accounts("/etc/passwd"))
	}
	return nameOr(d.users, id)
}

func (d *directory) group(id int) string {
	if d.groups == nil {
		d.groups = byID(d.t.accounts("/etc/group"))
	}
	return nameOr(d.groups, id)
}

func byID(all []account) map[int]string {
	m := make(map[int]string, len(all))
	for _, a := range all {
		if _, ok := m[a.id]; !ok {
			m[a.id] = a.name
		}
	}
	return m
}

func nameOr(names map[int]string, id int) string {
	if n, ok := names[id]; ok {
		return n
	}
	return strconv.Itoa(id)
}

// findID turns a name or number into an id.
func (t *task) findID(file, name string) (account, bool) {
	for _, a := range t.accounts(file) {
		if a.name == name {
			return a, true
		}
	}
	id, err := strconv.Atoi(strings.TrimPrefix(name, "+"))
	return account{name: name, id: id}, err == nil && id >= 0
}
