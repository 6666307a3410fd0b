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

// own is Find for those who are about to do something with a container: one that another driver made is a *ConflictError.
func (m *Manager) own(ctx context.Context, ref string) (*Container, error) {
	c, err := m.Find(ctx, ref)
	if err == nil {
		err = m.foreign(c)
	}
	return c, err
}

// foreign tells why nothing can be done with a container of another driver: its files and processes live where that one keeps them.
func (m *Manager) foreign(c *Container) error {
	if c.Problem != nil || c.Driver == m.Driver {
		return nil
	}
	return conflict("container %s was made by the driver with %s storage, and this one has %s: choose the other driver with --driver or LEARN_DRIVER", c.Name, c.Driver, m.Driver)
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
