package docker

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/kernelview"
)

// kernelInspection is what inspect --kernel shows of one container.
type kernelInspection struct {
	ID   string
	Name string
	kernelview.View
}

// inspectKernel shows what the kernel has of each container: for people, unless a format is asked for.
func (app *App) inspectKernel(ctx context.Context, spec string, names []string) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	var found []any
	failed := false
	for _, n := range names {
		c, shown, err := e.Containers.Reveal(ctx, n)
		if err != nil {
			fmt.Fprintf(app.Err, "Error response from daemon: %v\n", err)
			failed = true
			continue
		}
		k := kernelInspection{c.ID, c.Name, kernelview.Read(shown)}
		if spec != "" {
			found = append(found, k)
			continue
		}
		if err := writeKernel(app.Out, k); err != nil {
			return err
		}
	}
	if spec == "json" {
		spec = ""
	}
	if found != nil {
		if err := format.Objects(app.Out, spec, found); err != nil {
			return err
		}
	}
	if failed {
		return &exitError{code: 1}
	}
	return nil
}

// kernelPage writes the text for one container. Every section ends with how to see the same by hand.
type kernelPage struct {
	k   kernelInspection
	out strings.Builder
}

func writeKernel(w io.Writer, k kernelInspection) error {
	p := &kernelPage{k: k}
	p.process()
	p.namespaces()
	p.ids()
	p.powers()
	p.mounts()
	p.groups()
	p.files()
	_, err := io.WriteString(w, p.out.String())
	return err
}

func (p *kernelPage) section(title, command, name string) {
	if p.out.Len() > 0 {
		p.out.WriteByte('\n')
	}
	fmt.Fprintf(&p.out, "%s   # %s\n", title, p.look(command, name))
}

// look is the command that shows a file of the process, or one with an absolute path.
func (p *kernelPage) look(command, name string) string {
	if !strings.HasPrefix(name, "/") {
		name = p.k.Proc + "/" + name
	}
	if p.k.Inside {
		return "docker exec " + p.k.Name + " " + command + " " + name
	}
	return command + " " + name
}

func (p *kernelPage) row(key, value string) {
	fmt.Fprintf(&p.out, "  %-14s %s\n", key, format.Clean(value))
}

func (p *kernelPage) process() {
	st := p.k.Status
	where := fmt.Sprintf("%d on the host", p.k.Pid)
	if p.k.Inside {
		where += " (simulated: it has no /proc, the container's own has)"
	}
	p.section("Process of "+p.k.Name, "cat", "status")
	p.row("number", where+"; in its namespaces, from the outside in: "+strings.Join(st.NSPid, ", "))
	p.row("state", st.State)
	p.row("command", strings.Join(quoteAll(p.k.Command), " "))
	p.row("program", p.k.Program+"   # "+p.look("readlink", "exe"))
	p.row("root", p.k.Root+"   # "+p.look("readlink", "root")+"; its own mount namespace says what / is")
	p.row("working folder", p.k.Cwd+"   # "+p.look("readlink", "cwd"))
	p.row("user", strings.Join(st.UID, " ")+", group "+strings.Join(st.GID, " ")+"; further groups: "+orNone(st.Groups))
	p.row("OOM adjust", p.k.OOMScoreAdj+"   # "+p.look("cat", "oom_score_adj"))
	p.row("signals", "handled: "+orNone(st.Caught.Names)+"; ignored: "+orNone(st.Ignored.Names))
}

func quoteAll(words []string) []string {
	var out []string
	for _, w := range words {
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		out = append(out, w)
	}
	return out
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, " ")
}

func (p *kernelPage) namespaces() {
	p.section("Namespaces", "ls -l", "ns")
	for _, n := range p.k.Namespaces {
		whose := "its own"
		if n.Shared {
			whose = "the machine's"
		}
		p.row(n.Kind, fmt.Sprintf("%d   %s", n.Inode, whose))
	}
}

func (p *kernelPage) ids() {
	p.section("Ids (inside, outside, how many)", "cat", "uid_map")
	for _, m := range p.k.UIDMap {
		p.row("users", fmt.Sprintf("%d %d %d", m.Inside, m.Outside, m.Count))
	}
	for _, m := range p.k.GIDMap {
		p.row("groups", fmt.Sprintf("%d %d %d", m.Inside, m.Outside, m.Count))
	}
	p.row("setgroups", p.k.SetGroups)
}

func (p *kernelPage) powers() {
	st := p.k.Status
	p.section("Powers", "grep -E 'Cap|NoNewPrivs|Seccomp'", "status")
	for _, s := range []struct {
		name string
		set  kernelview.PowerSet
	}{{"effective", st.Effective}, {"permitted", st.Permitted}, {"inheritable", st.Inherited}, {"bounding", st.Bounding}, {"ambient", st.Ambient}} {
		names := orNone(s.set.Names)
		if s.set.All {
			names = "all"
		}
		p.row(s.name, s.set.Mask+"   "+names)
	}
	p.row("NoNewPrivs", map[bool]string{true: "1: no program can give more", false: "0: a setuid program gives its owner's, within the bounding set"}[st.NoNewPrivs])
	filters := ""
	if st.Seccomp == "filter" {
		filters = fmt.Sprintf(", %d loaded", st.Filters)
	}
	p.row("Seccomp", st.Seccomp+filters)
}

func (p *kernelPage) mounts() {
	p.section(fmt.Sprintf("Mounts, %d", len(p.k.Mounts)), "cat", "mountinfo")
	for _, m := range p.k.Mounts {
		source := m.Source
		if m.Root != "/" {
			source += ", only its " + m.Root
		}
		fmt.Fprintf(&p.out, "  %s%s   %s (%s) %s\n", strings.Repeat("  ", min(m.Depth, 12)), format.Clean(m.Target), format.Clean(m.Type), format.Clean(source), format.Clean(m.Options))
		indent := strings.Repeat("  ", min(m.Depth, 12)+2)
		if m.Upper != "" {
			fmt.Fprintf(&p.out, "%supper (writable)  %s\n", indent, format.Clean(m.Upper))
		}
		for _, l := range m.Lower {
			fmt.Fprintf(&p.out, "%slower (read-only) %s\n", indent, format.Clean(l))
		}
	}
}

func (p *kernelPage) groups() {
	p.section("Control groups", "cat", "cgroup")
	for _, g := range p.k.Groups {
		fmt.Fprintf(&p.out, "  %s: %s\n", format.Clean(g.Controllers), format.Clean(g.Dir))
		for _, v := range g.Values {
			if !mainFile(v) {
				continue
			}
			fmt.Fprintf(&p.out, "    %-28s %s\n", v.File, format.Clean(strings.Join(strings.Fields(v.Text), " ")))
		}
	}
	if len(p.k.Groups) == 0 {
		fmt.Fprintln(&p.out, "  none of its own: it has no limits")
	}
}

// mainFile leaves out of the text what is empty, long, or says nothing to a person; --format json has all.
func mainFile(v kernelview.Value) bool {
	for _, dull := range []string{"memory.kmem", "memory.stat", "memory.move", "memory.shown", "cgroup.clone", "cgroup.sane", "notify_on_release", "release_agent", "tasks"} {
		if strings.HasPrefix(v.File, dull) {
			return false
		}
	}
	return v.Text != "" && len(v.Text) < 400
}

func (p *kernelPage) files() {
	p.section("Open files", "ls -l", "fd")
	for _, d := range p.k.Descriptors {
		p.row(fmt.Sprint(d.FD), d.Target)
	}
	p.section("Limits (soft, hard)", "cat", "limits")
	for _, l := range p.k.Limits {
		fmt.Fprintf(&p.out, "  %-24s %s, %s %s\n", format.Clean(l.Name), format.Clean(l.Soft), format.Clean(l.Hard), format.Clean(l.Unit))
	}
}
