//go:build linux

package rootnet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// tool is a program that is a namespace's way out: it speaks for the container by sockets of the user's own.
type tool struct {
	name  string
	file  string
	ready int // the descriptor to which it writes a number once its interface is made
	args  func(o *outside) []string
}

// tools in the order in which they are tried.
func tools() []tool {
	return []tool{{name: "pasta", ready: 1, args: pastaArgs}, {name: "slirp4netns", ready: 4, args: slirpArgs}}
}

// Tools are the programs of which one is needed for a way out.
func Tools() []string {
	var names []string
	for _, t := range tools() {
		names = append(names, t.name)
	}
	return names
}

// CheckTools gives the tool that will be used first, or says why none can be. path is where programs are looked for, as PATH has it.
func CheckTools(path string) (name string, err error) {
	found, err := usableTools(path)
	if err != nil {
		return "", err
	}
	return found[0].name, nil
}

// usableTools are those that are installed, if they can do their work.
func usableTools(path string) (found []tool, err error) {
	for _, t := range tools() {
		if t.file = lookIn(path, t.name); t.file != "" {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no way out: neither %s is installed", strings.Join(Tools(), " nor "))
	}
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("no way out: %s needs %s: %w", found[0].name, tunDevice, err)
	}
	return found, unix.Close(fd)
}

// lookIn gives the file of a program; empty if there is none. A supervisor has no PATH of its own.
func lookIn(path, name string) string {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if st, err := os.Stat(file); err == nil && filepath.IsAbs(dir) && st.Mode().IsRegular() && unix.Access(file, unix.X_OK) == nil {
			return file
		}
	}
	return ""
}

// outside is a tool that runs.
type outside struct {
	tool   string
	subnet netip.Prefix // of its interface
	six    bool

	process int
	gone    chan struct{} // closed when it has ended
	exit    *os.File      // it ends with this
	cancel  context.CancelFunc
}

// wayOut is the name of its interface in the container.
const wayOut = "tap0"

// toolLimit is how long a tool has to make its interface.
const toolLimit = 10 * time.Second

// subnets are what an interface of a tool may get: the first is the tools' own custom.
func subnets() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("10.0.2.0/24"), netip.MustParsePrefix("192.168.249.0/24"), netip.MustParsePrefix("172.31.249.0/24"), netip.MustParsePrefix("198.18.249.0/24")}
}

// address is the n-th of its subnet.
func (o *outside) address(n byte) netip.Addr {
	a := o.subnet.Addr().As4()
	a[3] = n
	return netip.AddrFrom4(a)
}

// The tools' custom: gateway and the container's own address.
const (
	lastOfGateway   = 2
	lastOfContainer = 100
)

func (o *outside) gateway() netip.Addr { return o.address(lastOfGateway) }
func (o *outside) own() netip.Prefix {
	return netip.PrefixFrom(o.address(lastOfContainer), o.subnet.Bits())
}

// wantsOut: a plan has a default route.
func wantsOut(plan network.Plan) bool {
	return slices.ContainsFunc(plan.Endpoints, func(e network.Endpoint) bool { return len(e.Gateways) > 0 })
}

// wants6: one of them for IPv6.
func wants6(plan network.Plan) bool {
	return slices.ContainsFunc(plan.Endpoints, func(e network.Endpoint) bool { return slices.ContainsFunc(e.Gateways, netip.Addr.Is6) })
}

// suits reports whether the tool that runs is right for another plan, too.
func (o *outside) suits(plan network.Plan) bool {
	return o.six == wants6(plan) && free(o.subnet, plan, nil)
}

// free: a subnet overlaps nothing of the plan, nor of used.
func free(p netip.Prefix, plan network.Plan, used []netip.Prefix) bool {
	for _, e := range plan.Endpoints {
		used = append(used, e.Addresses...)
	}
	return !slices.ContainsFunc(used, p.Overlaps)
}

// openOutside starts the first tool that works. path is where they are looked for, used is what the host has addresses of and routes to.
func openOutside(ctx context.Context, path string, plan network.Plan, used []netip.Prefix, netns *os.File) (*outside, error) {
	found, err := usableTools(path)
	if err != nil {
		return nil, err
	}
	all := subnets()
	i := slices.IndexFunc(all, func(p netip.Prefix) bool { return free(p, plan, used) })
	if i < 0 {
		return nil, fmt.Errorf("no way out: each subnet for the interface of %s is in use: %v", found[0].name, all)
	}
	var errs []error
	for _, t := range found {
		o := &outside{tool: t.name, subnet: all[i], six: wants6(plan), gone: make(chan struct{})}
		err := o.start(ctx, t, netns)
		if err == nil {
			return o, nil
		}
		errs = append(errs, fmt.Errorf("no way out by %s: %w", t.name, err))
	}
	return nil, errors.Join(errs...)
}

// start runs the tool, and waits until the interface is made.
func (o *outside) start(ctx context.Context, t tool, netns *os.File) error {
	ready, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	defer tell.Close()
	hold, exit, err := os.Pipe()
	if err != nil {
		return err
	}
	defer hold.Close()
	o.exit = exit
	ctx, o.cancel = context.WithCancel(context.WithoutCancel(ctx))
	said := &tail{}
	cmd := exec.CommandContext(ctx, t.file, t.args(o)...)
	cmd.Env = []string{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = netns, said, said
	cmd.ExtraFiles = []*os.File{exitFD - 3: hold}
	if t.ready == 1 {
		cmd.Stdout = tell
	} else {
		cmd.ExtraFiles = append(cmd.ExtraFiles, tell)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	if err := o.run(cmd, tell); err != nil {
		o.cancel()
		return errors.Join(err, exit.Close())
	}
	o.process = cmd.Process.Pid
	_ = ready.SetReadDeadline(time.Now().Add(toolLimit))
	number := make([]byte, 16)
	if n, err := ready.Read(number); err != nil || number[0] < '0' || number[0] > '9' {
		o.close()
		return fmt.Errorf("it made no interface: %s%s", number[:n], said)
	}
	return nil
}

// What a tool gets besides: the namespace as its input, for pasta closes all but the first three and may not look at another process's, and
// one end of a pipe whose other end is the supervisor's alone.
const (
	netnsFile = "/proc/self/fd/0"
	readyFile = "/proc/self/fd/1"
	exitFD    = 3
)

// run starts the program from a thread that stays as long as it does: it is killed when that one dies. Its end closes tell.
func (o *outside) run(cmd *exec.Cmd, tell *os.File) error {
	started := make(chan error)
	go func() {
		defer close(o.gone)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			_ = tell.Close()
		}
	}()
	return <-started
}

// close ends the tool, and with it its interface.
func (o *outside) close() {
	o.cancel()
	_ = o.exit.Close()
	<-o.gone
}

// pastaArgs: what the user serves on loopback stays out of reach, and no port leads in (pasta(1)).
func pastaArgs(o *outside) []string {
	args := []string{"--foreground", "--quiet", "--stderr", "--config-net", "--netns-only", "--no-netns-quit", "--no-map-gw", "--no-dhcp",
		"-t", "none", "-u", "none", "-T", "none", "-U", "none", "-I", wayOut, "-P", readyFile,
		"-a", o.own().Addr().String(), "-n", strconv.Itoa(o.subnet.Bits()), "-g", o.gateway().String()}
	if !o.six {
		args = append(args, "--ipv4-only")
	}
	return append(args, "--netns", netnsFile)
}

// slirpArgs say the same to slirp4netns(1).
func slirpArgs(o *outside) []string {
	args := []string{"--configure", "--mtu=65520", "--cidr=" + o.subnet.String(), "--disable-host-loopback", "--disable-dns",
		"--enable-sandbox", "--enable-seccomp", "--exit-fd=" + strconv.Itoa(exitFD), "--ready-fd=4", "--netns-type=path"}
	if o.six {
		args = append(args, "--enable-ipv6")
	}
	return append(args, netnsFile, wayOut)
}

// tail keeps the last bytes that a program has said.
type tail struct {
	mu   sync.Mutex
	said []byte
}

const maxTail = 2048

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, b...)
	t.said = t.said[max(0, len(t.said)-maxTail):]
	return len(b), nil
}

// String implements fmt.Stringer.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.said))
}
