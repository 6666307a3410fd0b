package userland

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

func networkTable() []entry {
	return []entry{
		{name: "httpd", run: runHttpd, process: true}, {name: "wget", run: runWget}, {name: "curl", run: runCurl},
		{name: "nc", run: runNc, process: true}, {name: "nslookup", run: runNslookup},
		{name: "ip", run: runIP}, {name: "ss", run: runSs}, {name: "netstat", run: runNetstat},
	}
}

// runHttpd serves a folder. It stays until it is stopped; -f is accepted, it is never in the background.
func runHttpd(t *task, args []string) int {
	o, ok := t.options(args, "fvp:h:", "port=p home=h foreground=f")
	if !ok {
		return 1
	}
	if t.Dialer == nil {
		return t.unable("network")
	}
	address := "80"
	if v, ok := o.value('p'); ok {
		address = v
	}
	if !strings.Contains(address, ":") {
		address = ":" + address
	}
	if dir, ok := o.value('h'); ok {
		t.Dir = t.abs(dir)
	}
	l, err := t.Dialer.Listen(t.ctx, address)
	if err != nil {
		return t.errorf("bind: %s", reason(err))
	}
	defer l.Close()
	server := &http.Server{Handler: http.HandlerFunc(t.serve), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(t.ctx, func() { server.Close(); l.Close() })
	defer stop()
	if t.Threads != nil {
		return t.serveAll(l)
	}
	if err := server.Serve(netListener{l}); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return t.errorf("%s", reason(err))
	}
	return 0
}

// netListener lets net/http use a Listener.
type netListener struct{ Listener }

func (l netListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if nc, ok := c.(net.Conn); ok {
		return nc, nil
	}
	return plainConn{c}, nil
}

func (l netListener) Addr() net.Addr { return plainAddr(l.Listener.Addr()) }

type plainAddr string

func (plainAddr) Network() string  { return "tcp" }
func (a plainAddr) String() string { return string(a) }

// plainConn gives a Conn the rest of net.Conn; it has no deadlines.
type plainConn struct{ Conn }

func (plainConn) LocalAddr() net.Addr              { return plainAddr("local") }
func (plainConn) RemoteAddr() net.Addr             { return plainAddr("peer") }
func (plainConn) SetDeadline(time.Time) error      { return nil }
func (plainConn) SetReadDeadline(time.Time) error  { return nil }
func (plainConn) SetWriteDeadline(time.Time) error { return nil }

func (t *task) serve(w http.ResponseWriter, r *http.Request) {
	name := path.Join(t.Dir, path.Clean("/"+r.URL.Path))
	info, err := t.FS.Stat(name)
	if err == nil && info.IsDir() {
		index := path.Join(name, "index.html")
		if ii, ierr := t.FS.Stat(index); ierr == nil {
			name, info = index, ii
		} else {
			t.serveDir(w, name, r.URL.Path)
			return
		}
	}
	if err != nil {
		http.Error(w, "404 Not Found: "+r.URL.Path, http.StatusNotFound)
		return
	}
	data, err := t.readFile(name)
	if err != nil {
		http.Error(w, "403 Forbidden", http.StatusForbidden)
		return
	}
	http.ServeContent(w, r, path.Base(name), info.ModTime(), bytes.NewReader(data))
}

func (t *task) serveDir(w http.ResponseWriter, dir, shown string) {
	entries, err := t.FS.ReadDir(dir)
	if err != nil {
		http.Error(w, "403 Forbidden", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		fmt.Fprintf(w, "<a href=\"%s\">%s</a><br>\n", (&url.URL{Path: name}).String(), strings.NewReplacer("<", "&lt;", "&", "&amp;").Replace(name))
	}
}

// client is an HTTP client over the Env's network; done ends its time limit, 0 for none.
func (t *task) client(limit time.Duration) (client *http.Client, done func()) {
	if t.Threads != nil {
		return t.plainClient(limit)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		c, err := t.Dialer.Dial(ctx, address)
		if err != nil {
			return nil, err
		}
		if nc, ok := c.(net.Conn); ok {
			return nc, nil
		}
		return plainConn{c}, nil
	}}
	return &http.Client{Transport: transport, Timeout: limit}, func() {}
}

func runNc(t *task, args []string) int {
	o, ok := t.options(args, "lp:zvw:nkq:N", "listen=l wait=w")
	if !ok {
		return 1
	}
	if t.Dialer == nil {
		return t.unable("network")
	}
	port, hasPort := o.value('p')
	if o.has('l') {
		if !hasPort && len(o.args) > 0 {
			port = o.args[len(o.args)-1]
		}
		return t.ncListen(o, port)
	}
	if len(o.args) != 2 {
		return t.usage("[-zv] [-w SECONDS] HOST PORT | -l -p PORT")
	}
	ctx := t.ctx
	if v, ok := o.value('w'); ok {
		d, _ := span(v)
		var cancel context.CancelFunc
		ctx, cancel = t.limited(d)
		defer cancel()
	}
	c, err := t.Dialer.Dial(ctx, net.JoinHostPort(o.args[0], o.args[1]))
	if err != nil {
		return t.errorf("%s (%s): %s", o.args[0], o.args[1], netReason(err))
	}
	defer c.Close()
	if o.has('v') {
		fmt.Fprintf(t.Stderr, "%s (%s) open\n", o.args[0], o.args[1])
	}
	if o.has('z') {
		return 0
	}
	return t.relay(c)
}

func (t *task) ncListen(o opts, port string) int {
	l, err := t.Dialer.Listen(t.ctx, ":"+port)
	if err != nil {
		return t.errorf("bind: %s", netReason(err))
	}
	defer l.Close()
	stop := context.AfterFunc(t.ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return t.errorf("accept: %s", netReason(err))
		}
		code := t.relay(c)
		c.Close()
		if !o.has('k') {
			return code
		}
	}
}

// relay copies both ways and ends when the peer does. The thread that reads standard input may outlive
// it, blocked in a read, until the process ends.
func (t *task) relay(c Conn) int {
	t.spawn(func() {
		// Nothing at all to say, as in the background, does not end the talk.
		if n, _ := io.Copy(c, t.Stdin); n > 0 {
			c.CloseWrite()
		}
	})
	if _, err := io.Copy(t.Stdout, c); err != nil {
		return t.errorf("%s", netReason(err))
	}
	return 0
}

func runNslookup(t *task, args []string) int {
	if len(args) == 0 {
		return t.usage("NAME")
	}
	if t.Dialer == nil {
		return t.unable("network")
	}
	addresses, server, err := t.Dialer.Lookup(t.ctx, args[0])
	if server != "" {
		host, _, _ := net.SplitHostPort(server)
		t.printf("Server:\t\t%s\nAddress:\t%s\n\n", host, server)
	}
	if err != nil {
		t.printf("** server can't find %s: NXDOMAIN\n", args[0])
		return 1
	}
	for _, a := range addresses {
		t.printf("Name:\t%s\nAddress: %s\n", args[0], a)
	}
	return 0
}
