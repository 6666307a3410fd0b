//go:build linux

package command

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/learn-containers/learn/engine/driver/linux/bundle"
)

func createFlags(fl *flag.FlagSet, o *bundle.CreateOptions) {
	fl.StringVar(&o.Bundle, "bundle", ".", "`folder` of the bundle")
	fl.StringVar(&o.Bundle, "b", ".", "`folder` of the bundle")
	fl.StringVar(&o.ConsoleSocket, "console-socket", "", "unix `socket` that takes the terminal")
	fl.StringVar(&o.PidFile, "pid-file", "", "write the process id to this `file`")
	fl.IntVar(&o.PreserveFDs, "preserve-fds", 0, "hand down this `number` of descriptors besides the standard streams")
	fl.BoolVar(&o.NoNewKeyring, "no-new-keyring", false, "stay in the session keyring")
	fl.BoolFunc("no-pivot", "not supported", refuse("the root is always turned around: without that a container could get at the host's"))
	fl.Bool("no-subreaper", false, "accepted")
}

func refuse(why string) func(string) error {
	return func(string) error { return fmt.Errorf("not supported: %s", why) }
}

func (a *app) create(v *verb, words []string) (int, error) {
	var o bundle.CreateOptions
	fl := v.set(a)
	createFlags(fl, &o)
	rest, err := parse(fl, words, 1, 1)
	if err != nil {
		return 0, err
	}
	o.PreserveFDs = listenFDs(o.PreserveFDs)
	return 0, a.runtime().Create(rest[0], o)
}

func (a *app) run(v *verb, words []string) (int, error) {
	var o bundle.RunOptions
	fl := v.set(a)
	createFlags(fl, &o.CreateOptions)
	fl.BoolVar(&o.Detach, "detach", false, "leave when the program runs")
	fl.BoolVar(&o.Detach, "d", false, "leave when the program runs")
	fl.BoolVar(&o.Keep, "keep", false, "do not delete the container when it has ended")
	rest, err := parse(fl, words, 1, 1)
	if err != nil {
		return 0, err
	}
	o.PreserveFDs = listenFDs(o.PreserveFDs)
	return a.runtime().Run(rest[0], o)
}

func (a *app) start(v *verb, words []string) (int, error) {
	c, err := a.load(v, words)
	if err != nil {
		return 0, err
	}
	return 0, c.Start()
}

func (a *app) state(v *verb, words []string) (int, error) {
	c, err := a.load(v, words)
	if err != nil {
		return 0, err
	}
	return 0, a.print(c.State())
}

func (a *app) print(value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, string(data))
	return err
}

func (a *app) kill(v *verb, words []string) (int, error) {
	fl := v.set(a)
	all := fl.Bool("all", false, "signal every process of the container")
	fl.BoolVar(all, "a", false, "signal every process of the container")
	rest, err := parse(fl, words, 1, 2)
	if err != nil {
		return 0, err
	}
	name := "SIGTERM"
	if len(rest) == 2 {
		name = rest[1]
	}
	sig, err := bundle.ParseSignal(name)
	if err != nil {
		return 0, err
	}
	c, err := a.runtime().Load(rest[0])
	if err != nil {
		return 0, err
	}
	return 0, c.Signal(sig, *all)
}

func (a *app) delete(v *verb, words []string) (int, error) {
	fl := v.set(a)
	force := fl.Bool("force", false, "end the container first; one that is not there is no error")
	fl.BoolVar(force, "f", false, "end the container first; one that is not there is no error")
	rest, err := parse(fl, words, 1, 1)
	if err != nil {
		return 0, err
	}
	r := a.runtime()
	c, err := r.Load(rest[0])
	if err != nil {
		if *force && bundle.IsNotFound(err) {
			return 0, r.Discard(rest[0])
		}
		return 0, err
	}
	return 0, c.Delete(*force)
}

func (a *app) pause(v *verb, words []string) (int, error) {
	c, err := a.load(v, words)
	if err != nil {
		return 0, err
	}
	return 0, c.Pause()
}

func (a *app) resume(v *verb, words []string) (int, error) {
	c, err := a.load(v, words)
	if err != nil {
		return 0, err
	}
	return 0, c.Resume()
}

func (a *app) list(v *verb, words []string) (int, error) {
	fl := v.set(a)
	format := fl.String("format", "table", "table or json")
	fl.StringVar(format, "f", "table", "table or json")
	quiet := fl.Bool("quiet", false, "only ids")
	fl.BoolVar(quiet, "q", false, "only ids")
	if _, err := parse(fl, words, 0, 0); err != nil {
		return 0, err
	}
	all, err := a.runtime().List()
	if err != nil {
		return 0, err
	}
	states := []bundle.State{}
	for _, c := range all {
		states = append(states, c.State())
	}
	switch {
	case *quiet:
		for _, s := range states {
			fmt.Fprintln(a.out, s.ID)
		}
		return 0, nil
	case *format == "json":
		return 0, a.print(states)
	case *format != "table":
		return 0, fmt.Errorf("list: no such format: %q", *format)
	}
	rows := [][]string{{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}}
	for _, s := range states {
		rows = append(rows, []string{s.ID, strconv.Itoa(s.Pid), string(s.Status), s.Bundle, s.Created.Format(time.RFC3339Nano), "#" + strconv.Itoa(s.Owner)})
	}
	return 0, a.table(rows)
}

// table prints rows with columns as wide as they need.
func (a *app) table(rows [][]string) error {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len(cell)+3)
		}
	}
	for _, r := range rows {
		for i, cell := range r[:len(r)-1] {
			if _, err := fmt.Fprintf(a.out, "%-*s", width[i], cell); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(a.out, r[len(r)-1]); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) ps(v *verb, words []string) (int, error) {
	fl := v.set(a)
	format := fl.String("format", "table", "table or json")
	fl.StringVar(format, "f", "table", "table or json")
	rest, err := parse(fl, words, 1, 1)
	if err != nil {
		return 0, err
	}
	c, err := a.runtime().Load(rest[0])
	if err != nil {
		return 0, err
	}
	pids, err := c.Processes()
	if err != nil {
		return 0, err
	}
	switch *format {
	case "json":
		return 0, a.print(pids)
	case "table":
		fmt.Fprintln(a.out, "PID")
		for _, pid := range pids {
			fmt.Fprintln(a.out, pid)
		}
		return 0, nil
	}
	return 0, fmt.Errorf("ps: no such format: %q", *format)
}

func (a *app) exec(v *verb, words []string) (int, error) {
	var o bundle.ExecOptions
	fl := v.set(a)
	var env, caps, groups list
	file := fl.String("process", "", "`file` with the process as JSON")
	fl.StringVar(file, "p", "", "`file` with the process as JSON")
	user := fl.String("user", "", "`UID[:GID]` of the process")
	fl.StringVar(user, "u", "", "`UID[:GID]` of the process")
	fl.Var(&env, "env", "set a variable, `NAME=VALUE`")
	fl.Var(&env, "e", "set a variable, `NAME=VALUE`")
	fl.Var(&caps, "cap", "add a `capability`")
	fl.Var(&caps, "c", "add a `capability`")
	fl.Var(&groups, "additional-gids", "add the process to the `group`")
	fl.Var(&groups, "g", "add the process to the `group`")
	fl.StringVar(&o.Cwd, "cwd", "", "working `folder`")
	fl.BoolVar(&o.Terminal, "tty", false, "give the process a terminal")
	fl.BoolVar(&o.Terminal, "t", false, "give the process a terminal")
	fl.BoolVar(&o.Detach, "detach", false, "leave when the process runs")
	fl.BoolVar(&o.Detach, "d", false, "leave when the process runs")
	fl.BoolVar(&o.NoNewPrivs, "no-new-privs", false, "the process can gain no privileges")
	fl.StringVar(&o.ConsoleSocket, "console-socket", "", "unix `socket` that takes the terminal")
	fl.StringVar(&o.PidFile, "pid-file", "", "write the process id to this `file`")
	fl.IntVar(&o.PreserveFDs, "preserve-fds", 0, "hand down this `number` of descriptors besides the standard streams")
	fl.String("apparmor", "", "not supported on the command line; name it in --process")
	fl.String("process-label", "", "not supported on the command line; name it in --process")
	if err := fl.Parse(words); err != nil { // options end at the id: what follows is the command's
		return 0, err
	}
	rest := fl.Args()
	if len(rest) == 0 || len(rest) == 1 && *file == "" {
		return 0, fmt.Errorf("exec: an id and a command, or --process, are needed")
	}
	o.Args, o.Env, o.Caps = rest[1:], env, caps
	o.PreserveFDs = listenFDs(o.PreserveFDs)
	var err error
	if o.User, err = parseUser(*user, groups); err != nil {
		return 0, err
	}
	if *file != "" {
		if o.Process, err = bundle.ReadProcess(*file); err != nil {
			return 0, err
		}
		o.Process.Terminal = o.Process.Terminal || o.Terminal
	}
	c, err := a.runtime().Load(rest[0])
	if err != nil {
		return 0, err
	}
	code, err := c.Exec(o)
	if n := bundle.CommandCode(err); n != 0 {
		a.tell("error", err)
		return n, nil
	}
	return code, err
}

func parseUser(text string, groups []string) (*specs.User, error) {
	if text == "" && len(groups) == 0 {
		return nil, nil
	}
	u := &specs.User{}
	uid, gid, ok := strings.Cut(text, ":")
	for _, w := range []struct {
		text string
		to   *uint32
	}{{uid, &u.UID}, {gid, &u.GID}} {
		if w.text == "" && (w.to != &u.GID || !ok) {
			continue
		}
		n, err := strconv.ParseUint(w.text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %q: expected UID or UID:GID as numbers", text)
		}
		*w.to = uint32(n)
	}
	for _, g := range groups {
		n, err := strconv.ParseUint(g, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("group %q: expected a number", g)
		}
		u.AdditionalGids = append(u.AdditionalGids, uint32(n))
	}
	return u, nil
}

func (a *app) spec(v *verb, words []string) (int, error) {
	fl := v.set(a)
	dir := fl.String("bundle", ".", "`folder` of the bundle")
	fl.StringVar(dir, "b", ".", "`folder` of the bundle")
	rootless := fl.Bool("rootless", false, "for a user without privileges")
	if _, err := parse(fl, words, 0, 0); err != nil {
		return 0, err
	}
	return 0, bundle.WriteExample(*dir, *rootless, os.Geteuid(), os.Getegid())
}

func (a *app) features(v *verb, words []string) (int, error) {
	if _, err := parse(v.set(a), words, 0, 0); err != nil {
		return 0, err
	}
	return 0, a.print(bundle.Features())
}
