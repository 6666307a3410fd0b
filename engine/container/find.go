package container

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// Find gives the container that ref means: a full id, a name, or the beginning of an id that only one container has. Its
// state is brought up to date first. Errors: *NotFoundError; *InvalidError when a prefix is ambiguous.
func (m *Manager) Find(ctx context.Context, ref string) (*Container, error) {
	id, err := m.resolve(ref)
	if err != nil {
		return nil, err
	}
	c, err := m.read(id)
	if err != nil {
		return nil, &NotFoundError{ref}
	}
	return m.refresh(ctx, c)
}

// resolve turns a reference into an id, in docker's order.
func (m *Manager) resolve(ref string) (string, error) {
	if isID(ref) {
		if _, err := os.Lstat(m.dir(ref)); err == nil {
			return ref, nil
		}
	}
	name := strings.TrimPrefix(ref, "/")
	if checkName(name) == nil {
		if id := m.owner(name); id != "" {
			return id, nil
		}
	}
	if ref == "" || strings.Trim(ref, "0123456789abcdef") != "" {
		return "", &NotFoundError{ref}
	}
	return m.prefix(ref)
}

func (m *Manager) prefix(ref string) (string, error) {
	ids, err := m.ids()
	if err != nil {
		return "", err
	}
	found := ""
	for _, id := range ids {
		if !strings.HasPrefix(id, ref) {
			continue
		}
		if found != "" {
			return "", invalid("multiple IDs found with provided prefix: %s", ref)
		}
		found = id
	}
	if found == "" {
		return "", &NotFoundError{ref}
	}
	return found, nil
}

// ids names every container, broken ones too.
func (m *Manager) ids() ([]string, error) {
	entries, err := os.ReadDir(m.home.Containers())
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && isID(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}
