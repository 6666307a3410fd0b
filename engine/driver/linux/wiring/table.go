//go:build linux

package wiring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	nlsocket "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// patience is how long the kernel may take for one batch when the caller sets no other limit.
	patience = 30 * time.Second
	// batchBytes bounds what one batch may need of a socket's buffers: every port of two protocols.
	batchBytes = 64 << 20
	// perMessage elements stay well below the 64 KiB that one netlink attribute can hold.
	perMessage = 200
)

// table is the one of a home, by way of a socket to the kernel.
type table struct {
	conn  *nftables.Conn
	table *nftables.Table
	sets  map[string]*nftables.Set
}

func openTable(ctx context.Context, owner string) (*table, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(patience)
	}
	conn, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *nlsocket.Conn) error {
		return errors.Join(c.SetDeadline(deadline), c.SetWriteBuffer(batchBytes), c.SetReadBuffer(batchBytes))
	}))
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	t := &table{conn: conn, table: &nftables.Table{Name: tableName(owner), Family: nftables.TableFamilyINet}, sets: map[string]*nftables.Set{}}
	all, err := sets(t.table)
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	for _, s := range all {
		t.sets[s.Name] = s
	}
	return t, nil
}

func (t *table) close() error { return t.conn.CloseLasting() }

// exists reports whether the home has its table.
func (t *table) exists() (bool, error) { return hasTable(t.conn, t.table) }

func hasTable(conn *nftables.Conn, t *nftables.Table) (bool, error) {
	_, err := conn.ListTableOfFamily(t.Name, t.Family)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for table %s: %w", t.Name, err)
	}
	return true, nil
}

// addStatic adds to the batch all that a table of ours has before it knows any network. What is there already stays.
func (t *table) addStatic() error {
	t.conn.AddTable(t.table)
	for _, name := range slices.Sorted(maps.Keys(t.sets)) {
		if err := t.conn.AddSet(t.sets[name], nil); err != nil {
			return fmt.Errorf("make set %s: %w", name, err)
		}
	}
	byName := map[string]*nftables.Chain{}
	for _, c := range chains(t.table) {
		byName[c.Name] = t.conn.AddChain(c)
		t.conn.FlushChain(c)
	}
	for _, r := range rules() {
		t.conn.AddRule(&nftables.Rule{Table: t.table, Chain: byName[r.chain], Exprs: r.exprs})
	}
	return nil
}

// intact reports whether each chain has as many rules as it should.
func (t *table) intact() (bool, error) {
	want := map[string]int{}
	for _, r := range rules() {
		want[r.chain]++
	}
	for _, c := range chains(t.table) {
		have, err := t.conn.GetRules(t.table, c)
		if errors.Is(err, unix.ENOENT) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("list chain %s: %w", c.Name, err)
		}
		if len(have) != want[c.Name] {
			return false, nil
		}
	}
	return true, nil
}

// add puts elements into the batch, in place of what a killed process left under their keys.
func (t *table) add(elements []element) error {
	stale := slices.DeleteFunc(slices.Clone(elements), func(e element) bool { return e.instead == "" })
	if err := t.remove(stale); err != nil {
		return err
	}
	return t.each(elements, t.conn.SetAddElements)
}

func (t *table) remove(elements []element) error {
	return t.each(elements, t.conn.SetDeleteElements)
}

func (t *table) each(elements []element, do func(*nftables.Set, []nftables.SetElement) error) error {
	bySet := map[string][]nftables.SetElement{}
	for _, e := range elements {
		bySet[e.set] = append(bySet[e.set], nftables.SetElement{Key: e.key, Val: e.value, Comment: e.comment})
		if e.end != nil {
			bySet[e.set] = append(bySet[e.set], nftables.SetElement{Key: e.end, IntervalEnd: true})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(bySet)) {
		for some := range slices.Chunk(bySet[name], perMessage) {
			if err := do(t.sets[name], some); err != nil {
				return fmt.Errorf("change set %s: %w", name, err)
			}
		}
	}
	return nil
}

// commit hands the batch to the kernel, which does all of it or nothing.
func (t *table) commit() error {
	if err := t.conn.Flush(); err != nil {
		return fmt.Errorf("change table %s: %w", t.table.Name, err)
	}
	return nil
}

// split tells which elements are there, as they are wanted, and which are not.
func (t *table) split(wanted []element) (there, missing []element, err error) {
	have := map[string]map[string]nftables.SetElement{}
	for _, w := range wanted {
		if have[w.set] == nil {
			if have[w.set], err = t.elements(w.set); err != nil {
				return nil, nil, err
			}
		}
		e, ok := have[w.set][string(w.key)]
		switch {
		case !ok:
			missing = append(missing, w)
		case e.Comment == w.comment && bytes.Equal(e.Val, w.value):
			there = append(there, w)
		default:
			w.instead = e.Comment
			missing = append(missing, w)
		}
	}
	return there, missing, nil
}

// elements of a set by their keys; none if there is no such set.
func (t *table) elements(set string) (map[string]nftables.SetElement, error) {
	list, err := t.conn.GetSetElements(t.sets[set])
	if errors.Is(err, unix.ENOENT) || isAbsent(err) {
		return map[string]nftables.SetElement{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list set %s: %w", set, err)
	}
	byKey := make(map[string]nftables.SetElement, len(list))
	for _, e := range list {
		if !e.IntervalEnd {
			byKey[string(e.Key)] = e
		}
	}
	return byKey, nil
}

// of lists the elements of a set whose owner is wanted; those of an interval with the one that ends it.
func (t *table) of(set string, wanted func(kind, id string) bool) ([]nftables.SetElement, error) {
	list, err := t.conn.GetSetElements(t.sets[set])
	if errors.Is(err, unix.ENOENT) || isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list set %s: %w", set, err)
	}
	slices.SortFunc(list, func(a, b nftables.SetElement) int { return bytes.Compare(a.Key, b.Key) })
	var found []nftables.SetElement
	for i, e := range list {
		kind, id, _ := strings.Cut(e.Comment, " ")
		if e.IntervalEnd || !wanted(kind, id) {
			continue
		}
		found = append(found, nftables.SetElement{Key: e.Key, Val: e.Val, Comment: e.Comment})
		if end := slices.IndexFunc(list[i:], func(e nftables.SetElement) bool { return e.IntervalEnd && !bytes.Equal(e.Key, list[i].Key) }); end > 0 {
			found = append(found, list[i+end])
		}
	}
	return found, nil
}

// isAbsent: the library words some of the kernel's answers without wrapping them.
func isAbsent(err error) bool {
	return err != nil && bytes.Contains([]byte(err.Error()), []byte(unix.ENOENT.Error()))
}

// drop deletes the table with all that is in it, if it is there.
func (t *table) drop() error {
	there, err := t.exists()
	if err != nil || !there {
		return err
	}
	t.conn.DelTable(t.table)
	return t.commit()
}
