package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/leases"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Remove removes a network. Errors: *NotFoundError, *InvalidError for one that is always there, *InUseError while containers run in it.
func (s *Store) Remove(ctx context.Context, ref string) (*Network, error) {
	n, err := s.Find(ctx, ref)
	if err != nil {
		return nil, err
	}
	if Predefined(n.Name) {
		return nil, invalid("%s is a pre-defined network and cannot be removed", n.Name)
	}
	if err := s.removeAlone(ctx, n); err != nil {
		return nil, err
	}
	s.Events.Add(events.NetworkEventType, events.ActionDestroy, n.ID, map[string]string{"name": n.Name, "type": n.Driver})
	trace.Fact(ctx, vocab.NetworkRemove, trace.String("network", n.ID), trace.String("name", n.Name))
	return n, nil
}

func (s *Store) removeAlone(ctx context.Context, n *Network) error {
	unlock, err := s.home.Lock(ctx, namesLock, true)
	if err != nil {
		return err
	}
	defer unlock()
	claims, err := s.home.Lock(ctx, lockName(n.ID), true)
	if err != nil {
		return err
	}
	defer claims()
	given, err := s.Leases(ctx, n)
	if err != nil {
		return err
	}
	if len(given) > 0 {
		return inUse(n, given)
	}
	failpoint.Hit("network.remove.before-record")
	// The record first: from then on the network is gone, and what is left of it is garbage.
	if err := os.Remove(filepath.Join(s.dir(n.ID), recordName)); err != nil {
		return fmt.Errorf("remove network %s: %w", n.Name, err)
	}
	failpoint.Hit("network.remove.after-record")
	if err := home.SyncDir(s.dir(n.ID)); err != nil {
		return err
	}
	if err := os.RemoveAll(s.dir(n.ID)); err != nil {
		return fmt.Errorf("remove network %s: %w", n.Name, err)
	}
	return nil
}

func inUse(n *Network, given []network.Lease) error {
	e := &InUseError{Name: n.Name, ID: n.ID}
	for _, l := range given {
		e.Endpoints = append(e.Endpoints, fmt.Sprintf("name:%q id:%q", l.Name, l.Endpoint[:12]))
	}
	return e
}

// Prune removes the networks that nobody uses and that pick picks, and names them. used tells which networks containers name that don't run.
func (s *Store) Prune(ctx context.Context, used func(*Network) bool, pick func(*Network) bool) (gone []string, err error) {
	all, err := s.all()
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		if Predefined(n.Name) || n.Problem != nil || used(n) || !pick(n) {
			continue
		}
		_, err := s.Remove(ctx, n.ID)
		if IsNotFound(err) || errors.As(err, new(*InUseError)) {
			continue
		}
		if err != nil {
			return gone, err
		}
		gone = append(gone, n.Name)
	}
	s.Events.Add(events.NetworkEventType, events.ActionPrune, "", map[string]string{"reclaimed": "0"})
	return gone, nil
}

// Sweep removes folders without a record, which a process that died has left, and the leases that nobody holds.
func (s *Store) Sweep(ctx context.Context) error {
	unlock, err := s.home.Lock(ctx, namesLock, true)
	if err != nil {
		return err
	}
	defer unlock()
	ids, err := home.Names(s.home.Networks())
	if err != nil {
		return fmt.Errorf("sweep networks: %w", err)
	}
	var problems []error
	for _, id := range ids {
		if isID(id) {
			problems = append(problems, s.sweep(ctx, id))
		}
	}
	return errors.Join(problems...)
}

func (s *Store) sweep(ctx context.Context, id string) error {
	claims, err := s.home.Lock(ctx, lockName(id), true)
	if err != nil {
		return err
	}
	defer claims()
	if _, err := s.read(id); IsNotFound(err) {
		trace.Fact(ctx, vocab.RecoverRemove, trace.String("what", "network"), trace.String("path", id))
		return os.RemoveAll(s.dir(id))
	}
	given, err := leases.Read(s.LeasesDir(id))
	if err == nil {
		_, err = s.sweepLeases(ctx, id, given)
	}
	return err
}
