//go:build linux

// Package command is the command line of package bundle: the words, options and exit codes of runc and crun. It is branched off to before
// the commands of the engine are initialised, since podman and containerd call it several times for every container; so it uses package
// flag, whose rules are those of runc's.
package command

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver/linux/bundle"
)

// Name is what the binary is called when it is nothing but a runtime, as for podman's --runtime.
const Name = "learn-runtime"

// Words gives the words after the runtime's name if this process was called as one: by Name, or as learn runtime.
func Words(argv []string) ([]string, bool) {
	if len(argv) == 0 {
		return nil, false
	}
	switch name := filepath.Base(argv[0]); {
	case name == Name:
		return argv[1:], true
	case strings.HasPrefix(name, "learn") && len(argv) > 1 && argv[1] == "runtime":
		return argv[2:], true
	}
	return nil, false
}

// AsksVersion reports whether a command line asks for the version, which is known to the whole program only.
func AsksVersion(words []string) bool {
	return len(words) > 0 && (words[0] == "--version" || words[0] == "-version" || words[0] == "-v")
}

// app is one run of the command line.
type app struct {
	in       io.Reader
	out, err io.Writer
	root     string
	log      string
	format   string
	systemd  bool
	rootless string
	version  bool
	debug    bool
}

// verb is one command.
type verb struct {
	name, args, help string
	run              func(*app, *verb, []string) (int, error)
}

func verbs() []verb {
	return []verb{
		{"create", "ID", "Make a container of a bundle; its program waits for start", (*app).create},
		{"start", "ID", "Run the program of a created container", (*app).start},
		{"run", "ID", "Create and start a container, and wait for its end", (*app).run},
		{"state", "ID", "Show the state as JSON", (*app).state},
		{"kill", "ID [SIGNAL]", "Send a signal (default: SIGTERM)", (*app).kill},
		{"delete", "ID", "Remove a stopped container", (*app).delete},
		{"exec", "ID COMMAND [ARG...]", "Run a further process in a container", (*app).exec},
		{"list", "", "List containers", (*app).list},
		{"ps", "ID", "List the processes of a container", (*app).ps},
		{"pause", "ID", "Stop all processes of a container", (*app).pause},
		{"resume", "ID", "Let the processes of a paused container go on", (*app).resume},
		{"update", "ID", "Change limits of a container", (*app).update},
		{"spec", "", "Write a config.json to begin with", (*app).spec},
		{"features", "", "Show what this runtime can do, as JSON", (*app).features},
	}
}

// Main runs a command line and gives the exit code. words come after the runtime's name. No package that is initialised late may be imported
// here: package boot calls it.
func Main(words []string, version string) int {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	fl := a.flags()
	if err := fl.Parse(words); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			a.usage(a.out)
			return 0
		}
		return a.fail(err)
	}
	rest := fl.Args()
	switch {
	case a.version:
		fmt.Fprint(a.out, versionText(version))
		return 0
	case len(rest) == 0 || rest[0] == "help":
		a.usage(a.out)
		return 0
	case a.systemd:
		return a.fail(errors.New("--systemd-cgroup: control groups are made as folders only; use the cgroupfs manager (podman: --cgroup-manager=cgroupfs)"))
	}
	for _, v := range verbs() {
		if v.name != rest[0] {
			continue
		}
		code, err := v.run(a, &v, rest[1:])
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		if err != nil {
			return a.fail(err)
		}
		return code
	}
	return a.fail(fmt.Errorf("no such command: %q; learn runtime help lists them", rest[0]))
}

func (a *app) flags() *flag.FlagSet {
	fl := flag.NewFlagSet("learn runtime", flag.ContinueOnError)
	fl.SetOutput(io.Discard)
	fl.Usage = func() {}
	fl.StringVar(&a.root, "root", "", "`folder` for the state of containers (default: /run/learn-runtime, or in XDG_RUNTIME_DIR)")
	fl.StringVar(&a.log, "log", "", "append messages to this `file`")
	fl.StringVar(&a.format, "log-format", "text", "`format` of messages: text or json")
	fl.BoolVar(&a.systemd, "systemd-cgroup", false, "not supported")
	fl.StringVar(&a.rootless, "rootless", "auto", "accepted: what can't be done without root is found out by trying")
	fl.BoolVar(&a.debug, "debug", false, "accepted")
	fl.BoolVar(&a.version, "version", false, "show the version")
	fl.BoolVar(&a.version, "v", false, "show the version")
	return fl
}

func (a *app) usage(w io.Writer) {
	fmt.Fprint(w, "Usage: learn runtime [OPTION...] COMMAND [ARG...]\n\nAn OCI runtime: containers of bundles, as runc and crun make them.\n\nCommands:\n")
	for _, v := range verbs() {
		fmt.Fprintf(w, "  %-9s %-20s %s\n", v.name, v.args, v.help)
	}
	fmt.Fprint(w, "\nOptions:\n")
	fl := a.flags()
	fl.SetOutput(w)
	fl.PrintDefaults()
}

func versionText(version string) string {
	return fmt.Sprintf("learn-runtime version %s\nspec: %s\n", version, bundle.SpecVersion)
}

// runtime is the runtime of the chosen state folder.
func (a *app) runtime() *bundle.Runtime {
	root := a.root
	if root == "" {
		root = "/run/learn-runtime"
		if dir := os.Getenv("XDG_RUNTIME_DIR"); os.Geteuid() != 0 && filepath.IsAbs(dir) {
			root = filepath.Join(dir, "learn-runtime")
		}
	}
	return &bundle.Runtime{Root: root, Warn: func(err error) { a.tell("warning", err) }}
}

// fail tells what went wrong and gives the exit code.
func (a *app) fail(err error) int {
	a.tell("error", err)
	return 1
}

// tell writes to the log if there is one; errors go to standard error as well, where people and engines look.
func (a *app) tell(level string, err error) {
	if a.log != "" {
		f, oerr := os.OpenFile(a.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if oerr == nil {
			fmt.Fprintln(f, a.line(level, err))
			_ = f.Close()
		}
		if level != "error" {
			return
		}
	}
	if a.format == "json" {
		fmt.Fprintln(a.err, a.line(level, err))
		return
	}
	if level != "error" {
		fmt.Fprintf(a.err, "learn runtime: %s: %v\n", level, err)
		return
	}
	fmt.Fprintln(a.err, "learn runtime:", err)
}

func (a *app) line(level string, err error) string {
	now := time.Now().Format(time.RFC3339Nano)
	if a.format == "json" {
		data, _ := json.Marshal(map[string]string{"level": level, "msg": err.Error(), "time": now})
		return string(data)
	}
	return fmt.Sprintf("time=%q level=%s msg=%q", now, level, err.Error())
}

// set makes the options of a command.
func (v *verb) set(a *app) *flag.FlagSet {
	fl := flag.NewFlagSet(v.name, flag.ContinueOnError)
	fl.SetOutput(io.Discard)
	fl.Usage = func() {
		fmt.Fprintf(a.out, "Usage: learn runtime %s [OPTION...] %s\n\n%s\n\nOptions:\n", v.name, v.args, v.help)
		fl.SetOutput(a.out)
		fl.PrintDefaults()
	}
	return fl
}

// parse takes options wherever they stand, and n words besides.
func parse(fl *flag.FlagSet, words []string, least, most int) ([]string, error) {
	var rest []string
	for {
		if err := fl.Parse(words); err != nil {
			return nil, err
		}
		words = fl.Args()
		if len(words) == 0 {
			break
		}
		rest, words = append(rest, words[0]), words[1:]
	}
	if len(rest) < least || len(rest) > most {
		return nil, fmt.Errorf("%s: %d words given; see learn runtime %s --help", fl.Name(), len(rest), fl.Name())
	}
	return rest, nil
}

// load parses the command line of a command that takes an id and nothing else, and finds the container.
func (a *app) load(v *verb, words []string) (*bundle.Container, error) {
	rest, err := parse(v.set(a), words, 1, 1)
	if err != nil {
		return nil, err
	}
	return a.runtime().Load(rest[0])
}

// list is an option that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// listenFDs counts what a socket-activated caller hands down besides (sd_listen_fds(3)).
func listenFDs(preserve int) int {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return preserve
	}
	return preserve + n
}
