package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"
)

const (
	headerTime = 10 * time.Second // for the header of a request
	idleTime   = 2 * time.Minute  // of a connection between requests
	stopTime   = 10 * time.Second // for requests that are under way when the server ends
	maxHeader  = 32 << 10
)

// ListenOptions say how a handler is served. The zero value is plain HTTP.
type ListenOptions struct {
	Certificate *tls.Certificate // nil: no TLS
	Errors      *log.Logger      // what goes wrong with connections; nil: standard error
}

// Listen serves h on l until ctx ends; then no new request is taken, those under way have ten seconds to end, and l is closed. That ctx ended is
// no error. Values of ctx reach the handler.
func Listen(ctx context.Context, l net.Listener, h http.Handler, o ListenOptions) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          o.Errors,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(srv, l, o.Certificate) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve registry: %w", err)
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	err := srv.Shutdown(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-ended
	return err
}

func serve(srv *http.Server, l net.Listener, c *tls.Certificate) error {
	if c == nil {
		return srv.Serve(l)
	}
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*c}, MinVersion: tls.VersionTLS12}
	return srv.ServeTLS(l, "", "")
}
