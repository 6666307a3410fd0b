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
	"os"
	"path"
	"strings"
	"time"
)

func networkTable() []entry {
	return []entry{
		{name: "httpd", run: runHttpd, process: true}, {name: "wget", run: runWget}, {name: "curl", run: runCurl},
		{name: "nc", run: runNc, process: true}, {name: "nslookup", run: runNslookup},
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
	stop := context.AfterFunc(t.ctx, func() { server.Close() })
	defer stop()
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

// client is an HTTP client over the Env's network.
func (t *task) client(limit time.Duration) *http.Client {
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
	return &http.Client{Transport: transport, Timeout: limit}
}

// netReason is the innermost cause of a network error.
func netReason(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return "bad address '" + dns.Name + "'"
	case errors.As(err, &op):
		return reason(op.Err)
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		return reason(ue.Err)
	}
	return reason(err)
}

func runWget(t *task, args []string) int {
	if len(args) == 1 && args[0] == "--version" {
		t.print(t.name + " of learn base\n")
		return 0
	}
	o, ok := t.options(args, "qO:ST:t:cP:nU:", "quiet=q output-document=O server-response=S timeout=T spider=s header=H post-data=D directory-prefix=P tries=t")
	if !ok {
		return 1
	}
	if len(o.args) == 0 {
		return t.usage("[-q] [-S] [-T SECONDS] [-O FILE] URL...")
	}
	if t.Dialer == nil {
		return t.unable("network")
	}
	for _, address := range o.args {
		if code := t.wget(o, withScheme(address)); code != 0 {
			return code
		}
	}
	return 0
}

func withScheme(address string) string {
	if strings.Contains(address, "://") {
		return address
	}
	return "http://" + address
}

func (t *task) wget(o opts, address string) int {
	limit, _ := span(firstValue(o, 'T'))
	method, body := http.MethodGet, io.Reader(nil)
	if data, ok := o.value('D'); ok {
		method, body = http.MethodPost, strings.NewReader(data)
	}
	req, err := http.NewRequestWithContext(t.ctx, method, address, body)
	if err != nil {
		return t.errorf("bad URL '%s'", address)
	}
	setHeaders(req, o.values('H'))
	req.Header.Set("User-Agent", "Wget")
	if !o.has('q') {
		fmt.Fprintf(t.Stderr, "Connecting to %s\n", req.URL.Host)
	}
	resp, err := t.client(limit).Do(req)
	if err != nil {
		return t.errorf("can't connect to remote host: %s", netReason(err))
	}
	defer resp.Body.Close()
	if o.has('S') {
		fmt.Fprintf(t.Stderr, "  %s %s\n", resp.Proto, resp.Status)
		for name, values := range resp.Header {
			fmt.Fprintf(t.Stderr, "  %s: %s\n", name, strings.Join(values, ", "))
		}
	}
	if resp.StatusCode >= 400 {
		return t.errorf("server returned error: %s %s", resp.Proto, resp.Status)
	}
	if o.has('s') {
		return 0
	}
	return t.saveBody(o, resp, 'O', true)
}

func setHeaders(req *http.Request, headers []string) {
	for _, h := range headers {
		if name, value, ok := strings.Cut(h, ":"); ok {
			req.Header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
			if strings.EqualFold(name, "host") {
				req.Host = strings.TrimSpace(value)
			}
		}
	}
}

// saveBody writes an answer to the file of a flag, to the URL's last name, or to standard output.
func (t *task) saveBody(o opts, resp *http.Response, flag byte, byName bool) int {
	name, given := o.value(flag)
	if !given && byName {
		if name = path.Base(resp.Request.URL.Path); name == "/" || name == "." {
			name = "index.html"
		}
		if dir, ok := o.value('P'); ok && flag == 'O' {
			name = path.Join(dir, name)
		}
	}
	var out io.Writer = t.Stdout
	if name != "" && name != "-" {
		f, err := t.create(name, os.O_TRUNC, 0o666)
		if err != nil {
			return t.errorf("can't open '%s': %s", name, reason(err))
		}
		defer f.Close()
		out = f
	}
	if _, err := io.Copy(out, resp.Body); err != nil {
		return t.errorf("%s", netReason(err))
	}
	return 0
}

func runCurl(t *task, args []string) int {
	if len(args) == 1 && args[0] == "--version" {
		t.print(t.name + " of learn base\n")
		return 0
	}
	o, ok := t.options(args, "sSfiIo:OLvX:H:d:m:kw:A:", "silent=s show-error=S fail=f include=i head=I output=o remote-name=O location=L verbose=v request=X header=H data=d max-time=m connect-timeout=c write-out=w unix-socket=u retry=r insecure=k user-agent=A")
	if !ok {
		return 2
	}
	if len(o.args) == 0 {
		return t.usage("[-sfiIL] [-o FILE | -O] [-X METHOD] [-H HEADER] [-d DATA] URL") + 1
	}
	if t.Dialer == nil {
		return t.unable("network")
	}
	code := 0
	for _, address := range o.args {
		code = t.curl(o, withScheme(address))
	}
	return code
}

func (t *task) curl(o opts, address string) int {
	complain := func(code int, format string, a ...any) int {
		if !o.has('s') || o.has('S') {
			t.errorf("(%d) "+format, append([]any{code}, a...)...)
		}
		return code
	}
	method, body := http.MethodGet, io.Reader(nil)
	if data := o.values('d'); len(data) > 0 {
		method, body = http.MethodPost, strings.NewReader(strings.Join(data, "&"))
	}
	if o.has('I') {
		method = http.MethodHead
	}
	if v, ok := o.value('X'); ok {
		method = v
	}
	req, err := http.NewRequestWithContext(t.ctx, method, address, body)
	if err != nil {
		return complain(3, "URL rejected: %s", address)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("User-Agent", "curl")
	setHeaders(req, o.values('H'))
	limit, _ := span(firstValue(o, 'm'))
	client := t.client(limit)
	if !o.has('L') {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	resp, err := client.Do(req)
	if err != nil {
		return t.curlError(complain, req, err)
	}
	defer resp.Body.Close()
	if o.has('i') || o.has('I') {
		t.printf("%s %s\r\n", resp.Proto, resp.Status)
		resp.Header.Write(t.Stdout)
		t.print("\r\n")
	}
	code := 0
	if o.has('f') && resp.StatusCode >= 400 {
		code = complain(22, "The requested URL returned error: %d", resp.StatusCode)
	} else if !o.has('I') && t.saveBody(o, resp, 'o', o.has('O')) != 0 {
		code = 23
	}
	if w, ok := o.value('w'); ok {
		t.print(unescape(strings.NewReplacer("%{http_code}", fmt.Sprint(resp.StatusCode), "%{response_code}", fmt.Sprint(resp.StatusCode)).Replace(w)))
	}
	return code
}

func (t *task) curlError(complain func(int, string, ...any) int, req *http.Request, err error) int {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &dns):
		return complain(6, "Could not resolve host: %s", req.URL.Hostname())
	case errors.As(err, &timeout) && timeout.Timeout():
		return complain(28, "Operation timed out")
	}
	port := req.URL.Port()
	if port == "" {
		port = "80"
	}
	return complain(7, "Failed to connect to %s port %s: %s", req.URL.Hostname(), port, netReason(err))
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
		ctx, cancel = context.WithTimeout(ctx, d)
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

// relay copies both ways and ends when the peer does. The goroutine that reads standard input may outlive
// it, blocked in a read, until the process ends.
func (t *task) relay(c Conn) int {
	go func() {
		// Nothing at all to say, as in the background, does not end the talk.
		if n, _ := io.Copy(c, t.Stdin); n > 0 {
			c.CloseWrite()
		}
	}()
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
