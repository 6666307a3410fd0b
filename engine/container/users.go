package container

import (
	"context"
	"errors"
	"fmt"

	"github.com/learn-containers/learn/engine/passwd"
)

// identity is who a process is: numbers only.
type identity struct {
	uid, gid uint32
	groups   []uint32 // gid first, then the supplementary ones
	home     string
}

// identify resolves user[:group] and further groups against the tree of the writable layer key. For root nothing is read.
func (m *Manager) identify(ctx context.Context, key, user string, further []string) (identity, error) {
	who := passwd.Root()
	if !passwd.IsRoot(user) || len(further) > 0 {
		var err error
		if who, err = m.account(ctx, key, user, further); err != nil {
			return identity{}, err
		}
	}
	return identity{who.UID, who.GID, who.Groups, who.Home}, nil
}

func (m *Manager) account(ctx context.Context, key, user string, further []string) (passwd.Account, error) {
	tree, err := m.trees.OpenKey(ctx, key)
	if err != nil {
		return passwd.Account{}, fmt.Errorf("look up user %q: %w", user, err)
	}
	defer tree.Close()
	who, err := passwd.LookUp(tree, user, further)
	if wrong := (*passwd.Error)(nil); errors.As(err, &wrong) {
		return who, invalid("%s", wrong.Msg)
	}
	return who, err
}
