package userland

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
)

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
	client, done := t.client(limit)
	defer done()
	resp, err := client.Do(req)
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
	client, done := t.client(limit)
	defer done()
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
