package dockerfile

import (
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Kinds of Mount.
const (
	MountBind   = "bind"
	MountCache  = "cache"
	MountTmpfs  = "tmpfs"
	MountSecret = "secret"
	MountSSH    = "ssh"
)

// Ways in which builds at the same time share a cache.
const (
	SharedCache  = "shared"  // all use it at once
	PrivateCache = "private" // each has one of its own
	LockedCache  = "locked"  // one after the other
)

// Mount is one RUN --mount, complete: variables expanded, defaults filled in by BuildKit's rules, every value checked.
type Mount struct {
	Type   string
	Target string // absolute and clean, never /; empty for a secret that is only a variable
	// From and Source say what a bind shows, and what a new cache begins with.
	From     Source
	Source   string // a path in From, absolute and clean: / is all of it
	ReadOnly bool
	Size     int64  // tmpfs: bytes, 0 for no limit
	ID       string // of a cache, a secret, an agent
	Sharing  string // cache
	Required bool   // secret, ssh: the step fails if the build has none of that ID; otherwise it is just not there
	Env      string // secret: the variable that holds it
	// UID, GID and Mode are those of a new cache, a secret's file, an agent's socket. A cache with a Source keeps what it finds.
	UID, GID int
	Mode     uint32
}

// Source is where files come from: an earlier stage, an image, nothing at all, or the build context if none of these.
type Source struct {
	Stage   int    // index in the file, -1 if it is none
	Image   string // reference as written
	Scratch bool
}

// Context tells whether the source is the build context.
func (s Source) Context() bool { return s.Stage < 0 && s.Image == "" && !s.Scratch }

// Network is what a RUN may reach: "default", "none" or "host". The last needs the entitlement network.host.
func Network(c *Run) string { return instructions.GetNetwork(c) }

// Security is "sandbox", or "insecure", which needs the entitlement security.insecure.
func Security(c *Run) string { return instructions.GetSecurity(c) }

// Mounts are the mounts of c, which Expand returned for in. Relative targets start at the folder that SetWorkdir gave.
func (s *Scope) Mounts(in Instruction, c *Run) ([]Mount, error) {
	mounts, err := s.mounts(in, c)
	if err != nil {
		return nil, err
	}
	for i := range mounts {
		m := &mounts[i]
		if m.From.Stage >= s.index {
			return nil, s.plan.File.Errorf(in, "from=", "cannot mount from stage %q to %q, stage needs to be defined before current command", s.plan.File.stageName(m.From.Stage), m.Target)
		}
	}
	return mounts, nil
}

func (s *Scope) mounts(in Instruction, c *Run) ([]Mount, error) {
	var out []Mount
	agents := 0
	for i, given := range instructions.GetMounts(c) {
		m, wrong := s.mount(given, agents)
		if wrong != "" {
			word := "--mount"
			if flags := mountFlags(in); i < len(flags) {
				word = flags[i]
			}
			return nil, s.plan.File.Errorf(in, word, "%s", wrong)
		}
		if m.Type == MountSSH {
			agents++
		}
		out = append(out, m)
	}
	return out, nil
}

// mountFlags are the --mount flags as written, as far as quotes let them be found again.
func mountFlags(in Instruction) []string {
	var out []string
	for _, flag := range in.node.Flags {
		if strings.HasPrefix(flag, "--mount=") {
			out = append(out, flag)
		}
	}
	return out
}

// mount completes one mount. The second result is what is wrong with it.
func (s *Scope) mount(given *instructions.Mount, agents int) (Mount, string) {
	m := Mount{Type: string(given.Type), From: Source{Stage: -1}, ReadOnly: given.ReadOnly, Required: given.Required, Size: given.SizeLimit}
	if wrong := checkMount(given); wrong != "" {
		return m, wrong
	}
	m.UID, m.GID, m.Mode = number(given.UID, 0), number(given.GID, 0), uint32(number(given.Mode, defaultMode(m.Type)))
	switch given.Type {
	case instructions.MountTypeSecret:
		m.secret(given)
		return m, s.checkTarget(&m)
	case instructions.MountTypeSSH:
		return m, m.agent(given, agents) + s.checkTarget(&m)
	case instructions.MountTypeCache:
		m.ID, m.Sharing = given.CacheID, string(given.CacheSharing)
		if m.ID == "" {
			m.ID = path.Clean(given.Target)
		}
		if m.Sharing == "" {
			m.Sharing = SharedCache
		}
	}
	m.Target = given.Target
	if given.Type != instructions.MountTypeTmpfs {
		m.From, m.Source = s.plan.File.source(given.From), path.Join("/", given.Source)
	}
	if given.Type == instructions.MountTypeCache && given.From == "" {
		m.From = Source{Stage: -1, Scratch: true}
	}
	return m, s.checkTarget(&m)
}

func defaultMode(kind string) uint64 {
	switch kind {
	case MountCache:
		return 0o755
	case MountSecret:
		return 0o400
	case MountSSH:
		return 0o600
	}
	return 0
}

func number(p *uint64, otherwise uint64) int {
	if p != nil {
		otherwise = *p
	}
	return int(otherwise)
}

// checkMount refuses values that no machine should be asked to try.
func checkMount(m *instructions.Mount) string {
	for name, id := range map[string]*uint64{"uid": m.UID, "gid": m.GID} {
		if id != nil && *id > math.MaxInt32 {
			return "invalid value " + strconv.FormatUint(*id, 10) + " for " + name + ": expected a number from 0 to 2147483647"
		}
	}
	if m.Mode != nil && *m.Mode > 0o7777 {
		return "invalid value " + strconv.FormatUint(*m.Mode, 8) + " for mode: expected an octal number from 0 to 07777"
	}
	if m.SizeLimit < 0 {
		return "invalid value for size: it is negative"
	}
	if climbs(m.Source) {
		return "source=" + m.Source + " leads out of what is mounted: name a path inside it"
	}
	if climbs(m.CacheID) {
		return "id=" + m.CacheID + " leads out of the folder of caches: name it without .."
	}
	return ""
}

// climbs tells whether p leads above where it starts.
func climbs(p string) bool {
	depth := 0
	for part := range strings.SplitSeq(p, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

func (m *Mount) secret(given *instructions.Mount) {
	m.ID, m.Target = given.CacheID, given.Target
	if given.Source != "" {
		m.ID = given.Source
	}
	if m.ID == "" {
		m.ID = path.Base(given.Target)
	}
	if given.Env != nil {
		m.Env = *given.Env
		if m.Env == "" {
			m.Env = m.ID
		}
		return
	}
	if m.Target == "" {
		m.Target = "/run/secrets/" + path.Base(m.ID)
	}
}

func (m *Mount) agent(given *instructions.Mount, before int) string {
	if given.Source != "" {
		return "ssh does not support source"
	}
	m.ID, m.Target = given.CacheID, given.Target
	if m.ID == "" {
		m.ID = "default"
	}
	if m.Target == "" {
		m.Target = "/run/buildkit/ssh_agent." + strconv.Itoa(before)
	}
	return ""
}

// checkTarget makes the target absolute. Nothing can be mounted over the whole tree.
func (s *Scope) checkTarget(m *Mount) string {
	if m.Type == MountSecret && m.Target == "" {
		return ""
	}
	given := m.Target
	dir := "/"
	if m.Type != MountSecret && m.Type != MountSSH {
		dir = s.dir
	}
	if m.Target = path.Clean(given); !path.IsAbs(m.Target) {
		m.Target = path.Join("/", dir, m.Target)
	}
	if m.Target == "/" {
		return "invalid mount target " + strconv.Quote(given) + ": give target= a folder below /"
	}
	return ""
}
