package build

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/opencontainers/go-digest"
)

// mounting is the mounts of one RUN while they are put together: what has to be given back when the command has ended.
type mounting struct {
	st   *stage
	in   dockerfile.Instruction
	spec *driver.Spec
	give []func() error
}

// mount puts the mounts of a command into its spec. done gives back what they needed; it is called once, also if there are none.
func (st *stage) mount(ctx context.Context, spec *driver.Spec, c command) (done func() error, err error) {
	m := &mounting{st: st, in: c.in, spec: spec}
	if c.program.Path != "" {
		m.add(driver.Mount{Type: "file", Target: c.program.Path, ReadOnly: true, Data: []byte(c.program.Text), Mode: 0o755})
	}
	bound := 0
	for i, want := range c.mounts {
		switch want.Type {
		case dockerfile.MountBind:
			err = m.bind(ctx, want, c.bound[bound])
			bound++
		case dockerfile.MountCache:
			err = m.cache(ctx, want)
		case dockerfile.MountTmpfs:
			m.tmpfs(want)
		case dockerfile.MountSecret:
			err = m.secret(want)
		case dockerfile.MountSSH:
			err = m.ssh(want, i)
		default:
			err = fmt.Errorf("mounts of type %q are unknown", want.Type)
		}
		if err != nil {
			return nil, errors.Join(st.session.plan.File.Failed(c.in, "--mount", fmt.Errorf("mount %s: %w", want.Target, err)), m.end())
		}
	}
	return m.end, nil
}

// end gives back what the mounts needed, last first.
func (m *mounting) end() (err error) {
	for _, give := range slices.Backward(m.give) {
		err = errors.Join(err, give())
	}
	m.give = nil
	return err
}

func (m *mounting) add(mount driver.Mount) { m.spec.Mounts = append(m.spec.Mounts, mount) }

// bind mounts a tree. What the command writes into one that may be written is thrown away.
func (m *mounting) bind(ctx context.Context, want dockerfile.Mount, b boundTree) error {
	chain, err := b.chain(ctx)
	if err != nil {
		return err
	}
	mount := driver.Mount{Type: "tree", Source: b.source, Target: want.Target, ReadOnly: want.ReadOnly, Chain: chain}
	if !want.ReadOnly {
		s := m.st.session
		key, err := s.scratch(ctx, chain)
		if err != nil {
			return err
		}
		m.give = append(m.give, func() error { return s.snapshots.Remove(context.WithoutCancel(ctx), key) })
		mount.Chain, mount.Key = "", key
	}
	m.add(mount)
	return nil
}

func (m *mounting) tmpfs(want dockerfile.Mount) {
	mount := driver.Mount{Type: "tmpfs", Target: want.Target}
	if want.Size > 0 {
		mount.Options = append(mount.Options, "size="+strconv.FormatInt(want.Size, 10))
	}
	m.add(mount)
}

// secret gives the command a secret, in a file that is only in memory, as a variable, or both. It is in no key, no record and no event.
func (m *mounting) secret(want dockerfile.Mount) error {
	get, ok := m.st.session.opts.Secrets[want.ID]
	if !ok {
		if want.Required {
			return fmt.Errorf("secret %s: not given: build with --secret id=%s,src=FILE", want.ID, want.ID)
		}
		return nil
	}
	data, err := get()
	if err != nil {
		return fmt.Errorf("read secret %s: %w", want.ID, err)
	}
	if len(data) > maxSecret {
		return fmt.Errorf("read secret %s: it is larger than %d KiB", want.ID, maxSecret>>10)
	}
	if want.Env != "" {
		m.spec.Process.Env = append(slices.Clone(m.spec.Process.Env), want.Env+"="+string(data))
	}
	if want.Target != "" {
		m.add(driver.Mount{Type: "file", Target: want.Target, ReadOnly: true, Data: data, Mode: want.Mode, UID: uint32(want.UID), GID: uint32(want.GID)})
	}
	return nil
}

// boundTree is what a bind mount shows: something in the tree of a stage or an image, or in the build context.
type boundTree struct {
	source string // path in the tree of chain
	chain  func(context.Context) (digest.Digest, error)
}

// bindInputs finds what the bind mounts of a RUN show, and lists it for the key.
func (st *stage) bindInputs(ctx context.Context, in dockerfile.Instruction, mounts []dockerfile.Mount) (trees []boundTree, inputs []Input, err error) {
	for _, m := range mounts {
		if m.Type != dockerfile.MountBind {
			continue
		}
		b, list, err := st.bindInput(ctx, in, m)
		if err != nil {
			return nil, nil, err
		}
		trees, inputs = append(trees, b), append(inputs, list...)
	}
	return trees, inputs, nil
}

func (st *stage) bindInput(ctx context.Context, in dockerfile.Instruction, m dockerfile.Mount) (boundTree, []Input, error) {
	if st.unknownSource(m.From) {
		return boundTree{}, nil, nil
	}
	if m.From.Scratch {
		return boundTree{source: m.Source, chain: func(context.Context) (digest.Digest, error) { return "", nil }}, nil, nil
	}
	c := copySpec{name: "RUN --mount", paths: []string{m.Source}, from: sourceName(m.From), dest: m.Target + "/"}
	from, err := st.origin(ctx, in, c)
	if err != nil {
		return boundTree{}, nil, err
	}
	defer from.close()
	sel, err := st.choose(ctx, in, c, from)
	if err != nil {
		return boundTree{}, nil, err
	}
	defer sel.close()
	if !m.From.Context() {
		return boundTree{source: m.Source, chain: from.unpack}, sel.inputs(c), nil
	}
	b := boundTree{source: "/", chain: func(ctx context.Context) (digest.Digest, error) { return st.session.contextChain(ctx, sel) }}
	if !sel.sources[0].isDir() {
		b.source = "/" + boundFile
	}
	return b, sel.inputs(c), nil
}

// sourceName is what COPY --from would call a source.
func sourceName(s dockerfile.Source) string {
	switch {
	case s.Stage >= 0:
		return strconv.Itoa(s.Stage)
	case s.Scratch:
		return "scratch"
	}
	return s.Image
}

// mountStages lists the stages that mounts show something of.
func mountStages(mounts []dockerfile.Mount) []int {
	var stages []int
	for _, m := range mounts {
		if m.From.Stage >= 0 {
			stages = append(stages, m.From.Stage)
		}
	}
	return stages
}

// mountSource is the stage that a bind mount shows, or -1; unknown tells that a dry run can't know what is in it. Of several, one that is
// unknown counts.
func (st *stage) mountSource(mounts []dockerfile.Mount) (from int, unknown bool) {
	from = -1
	for _, m := range mounts {
		if m.Type == dockerfile.MountBind && m.From.Stage >= 0 && !unknown {
			from, unknown = m.From.Stage, st.unknownSource(m.From)
		}
	}
	return from, unknown
}

// unknownSource tells that a dry run can't know what is in a stage's tree.
func (st *stage) unknownSource(from dockerfile.Source) bool {
	if from.Stage < 0 {
		return false
	}
	p, mine := st.session.building(from.Stage)
	return !mine && p.st != nil && p.st.unknown
}

// mountTexts describe mounts for the key: what the command can tell of them, but not the content of secrets and caches.
func mountTexts(mounts []dockerfile.Mount) []string {
	var out []string
	for _, m := range mounts {
		text := fmt.Sprintf("type=%s,target=%s", m.Type, m.Target)
		if m.Type == dockerfile.MountBind {
			text += ",source=" + m.Source
		}
		if m.ID != "" {
			text += ",id=" + m.ID
		}
		if m.Env != "" {
			text += ",env=" + m.Env
		}
		if m.ReadOnly {
			text += ",readonly"
		}
		out = append(out, text)
	}
	return out
}
