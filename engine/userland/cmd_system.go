package userland

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

func systemTable() []entry {
	return []entry{
		{name: "hostname", run: runHostname}, {name: "uname", run: runUname}, {name: "arch", run: runArch}, {name: "nproc", run: runNproc},
		{name: "free", run: runFree}, {name: "uptime", run: runUptime}, {name: "date", run: runDate}, {name: "adduser", run: runAdduser},
		{name: "useradd", run: runAdduser}, {name: "addgroup", run: runAddgroup}, {name: "groupadd", run: runAddgroup},
		{name: "getent", run: runGetent}, {name: "clear", run: runClear},
	}
}

func runClear(t *task, _ []string) int {
	t.print("\x1b[H\x1b[2J\x1b[3J")
	return 0
}

func runHostname(t *task, args []string) int {
	o, ok := t.options(args, "sfidI", "short=s fqdn=f ip-address=i all-ip-addresses=I")
	if !ok {
		return 1
	}
	if t.Host == nil {
		return t.unable("host name")
	}
	if len(o.args) > 0 {
		if err := t.Host.SetHostname(o.args[0]); err != nil {
			return t.errorf("sethostname: %s", reason(err))
		}
		return 0
	}
	u, err := t.Host.Uname()
	if err != nil {
		return t.errorf("%s", reason(err))
	}
	name := u.Nodename
	switch {
	case o.has('s'):
		name, _, _ = strings.Cut(name, ".")
	case o.has('i') || o.has('I'):
		if t.Dialer == nil {
			return t.unable("network")
		}
		addresses, _, err := t.Dialer.Lookup(t.ctx, name)
		if err != nil {
			return t.errorf("%s: Name or service not known", name)
		}
		name = strings.Join(addresses, " ")
	}
	t.print(name + "\n")
	return 0
}

func runUname(t *task, args []string) int {
	o, ok := t.options(args, "asnrvmpio", "all=a kernel-name=s nodename=n kernel-release=r kernel-version=v machine=m operating-system=o")
	if !ok {
		return 1
	}
	if t.Host == nil {
		return t.unable("system name")
	}
	u, err := t.Host.Uname()
	if err != nil {
		return t.errorf("%s", reason(err))
	}
	if len(o.set) == 0 {
		o.set = []opt{{letter: 's'}}
	}
	var words []string
	for _, f := range []struct {
		letter byte
		text   string
		all    bool
	}{{'s', u.Sysname, true}, {'n', u.Nodename, true}, {'r', u.Release, true}, {'v', u.Version, true}, {'m', u.Machine, true}, {'p', "unknown", false}, {'i', "unknown", false}, {'o', "GNU/Linux", true}} {
		if o.has(f.letter) || o.has('a') && f.all {
			words = append(words, f.text)
		}
	}
	t.print(strings.Join(words, " ") + "\n")
	return 0
}

func runArch(t *task, _ []string) int { return runUname(t, []string{"-m"}) }

func runNproc(t *task, _ []string) int {
	if t.Host == nil {
		return t.unable("processors")
	}
	t.printf("%d\n", t.Host.CPUs())
	return 0
}

func runFree(t *task, args []string) int {
	o, ok := t.options(args, "bkmgh", "bytes=b kibi=k mebi=m gibi=g human=h")
	if !ok {
		return 1
	}
	if t.Host == nil {
		return t.unable("memory")
	}
	u, _, err := t.Host.Memory()
	if err != nil {
		return t.errorf("%s", reason(err))
	}
	form := func(n int64) string {
		switch o.last("bkmgh") {
		case 'b':
			return strconv.FormatInt(n, 10)
		case 'm':
			return strconv.FormatInt(n>>20, 10)
		case 'g':
			return strconv.FormatInt(n>>30, 10)
		case 'h':
			return human(n)
		}
		return strconv.FormatInt(n>>10, 10)
	}
	t.printf("%-8s%12s%12s%12s%12s%12s%12s\n", "", "total", "used", "free", "shared", "buff/cache", "available")
	t.printf("%-8s%12s%12s%12s%12s%12s%12s\n", "Mem:", form(u.Total), form(u.Total-u.Available), form(u.Free), form(u.Shared), form(u.Buffers), form(u.Available))
	t.printf("%-8s%12s%12s%12s\n", "Swap:", form(u.SwapTotal), form(u.SwapTotal-u.SwapFree), form(u.SwapFree))
	return 0
}

func runUptime(t *task, _ []string) int {
	if t.Host == nil {
		return t.unable("uptime")
	}
	_, up, err := t.Host.Memory()
	if err != nil {
		return t.errorf("%s", reason(err))
	}
	text := fmt.Sprintf("%d:%02d", int(up.Hours())%24, int(up.Minutes())%60)
	if days := int(up.Hours()) / 24; days > 0 {
		text = fmt.Sprintf("%d days, %s", days, text)
	}
	load := ""
	if data, err := t.readFile("/proc/loadavg"); err == nil {
		if f := strings.Fields(string(data)); len(f) > 2 {
			load = ",  load average: " + strings.Join(f[:3], ", ")
		}
	}
	t.printf(" %s up %s%s\n", t.now().Format("15:04:05"), text, load)
	return 0
}

// runAdduser adds a line to passwd, group and shadow, and the home folder.
func runAdduser(t *task, args []string) int {
	o, ok := t.options(args, "DSHh:s:u:G:g:mMrd:c:Nk:", "disabled-password=D system=S no-create-home=H home=h shell=s uid=u ingroup=G gecos=c create-home=m gid=g home-dir=d comment=c")
	if !ok {
		return 1
	}
	if len(o.args) == 0 {
		return t.usage("[-D] [-S] [-H] [-h DIR] [-s SHELL] [-u UID] [-G GROUP] NAME")
	}
	name := o.args[0]
	users, groups := t.accounts("/etc/passwd"), t.accounts("/etc/group")
	for _, u := range users {
		if u.name == name {
			return t.errorf("user '%s' already exists", name)
		}
	}
	first := 1000
	if o.has('S') || o.has('r') {
		first = 100
	}
	uid := freeID(users, first)
	if v, ok := o.value('u'); ok {
		uid = int(number(v))
	}
	gid, given := -1, ""
	if v, ok := o.value('G'); ok {
		given = v
	} else if v, ok := o.value('g'); ok && t.name == "useradd" {
		given = v
	}
	if given != "" {
		g, found := t.findID("/etc/group", given)
		if !found {
			return t.errorf("unknown group %s", given)
		}
		gid = g.id
	} else {
		if gid = uid; byID(groups)[gid] != "" {
			gid = freeID(groups, first)
		}
		if err := t.addLine("/etc/group", fmt.Sprintf("%s:x:%d:", name, gid)); err != nil {
			return t.fail("/etc/group", err)
		}
	}
	return t.addUser(o, name, uid, gid)
}

func (t *task) addUser(o opts, name string, uid, gid int) int {
	home, shell := "/home/"+name, "/bin/sh"
	if v, ok := o.value('s'); ok {
		shell = v
	}
	for _, letter := range []byte("hd") {
		if v, ok := o.value(letter); ok {
			home = v
		}
	}
	comment, _ := o.value('c')
	if err := t.addLine("/etc/passwd", fmt.Sprintf("%s:x:%d:%d:%s:%s:%s", name, uid, gid, comment, home, shell)); err != nil {
		return t.fail("/etc/passwd", err)
	}
	if _, err := t.stat("/etc/shadow"); err == nil {
		t.addLine("/etc/shadow", name+":!::0:99999:7:::")
	}
	if o.has('H') || o.has('M') || t.name == "useradd" && !o.has('m') {
		return 0
	}
	tree, err := t.tree()
	if err == nil {
		err = t.makeDir(tree, opts{set: []opt{{letter: 'p'}}}, home)
	}
	if meta, merr := t.meta(); err == nil && merr == nil {
		err = meta.Lchown(t.abs(home), uid, gid)
	}
	if err != nil {
		return t.fail(home, err)
	}
	return 0
}

func freeID(taken []account, first int) int {
	names := byID(taken)
	for names[first] != "" {
		first++
	}
	return first
}

func (t *task) addLine(file, line string) error {
	f, err := t.create(file, os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte(line + "\n")); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func runAddgroup(t *task, args []string) int {
	o, ok := t.options(args, "g:Sr", "gid=g system=S")
	if !ok || len(o.args) == 0 {
		return t.usage("[-g GID] [-S] GROUP")
	}
	groups := t.accounts("/etc/group")
	for _, g := range groups {
		if g.name == o.args[len(o.args)-1] {
			return t.errorf("group '%s' already exists", g.name)
		}
	}
	first := 1000
	if o.has('S') || o.has('r') {
		first = 100
	}
	gid := freeID(groups, first)
	if v, ok := o.value('g'); ok {
		gid = int(number(v))
	}
	if err := t.addLine("/etc/group", fmt.Sprintf("%s:x:%d:", o.args[0], gid)); err != nil {
		return t.fail("/etc/group", err)
	}
	return 0
}

func runGetent(t *task, args []string) int {
	if len(args) == 0 {
		return t.usage("passwd|group|hosts [KEY]...")
	}
	data, err := t.readFile("/etc/" + args[0])
	if err != nil {
		return t.errorf("Unknown database: %s", args[0])
	}
	found := len(args) == 1
	for line := range strings.Lines(string(data)) {
		f := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(": \t\n", r) })
		if args[0] != "hosts" {
			f = strings.Split(strings.TrimRight(line, "\n"), ":")
			f = f[:min(3, len(f))]
		}
		for i, key := range f {
			if len(args) == 1 && i == 0 || len(args) > 1 && key == args[1] {
				t.print(strings.TrimRight(line, "\n") + "\n")
				found = true
				break
			}
		}
	}
	if !found {
		return 2
	}
	return 0
}
