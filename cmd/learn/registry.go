package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/docker/go-units"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/engine/registry/server"
	"github.com/learn-containers/learn/engine/registry/server/depot"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/spf13/cobra"
)

// registryFlags are those of learn registry serve.
type registryFlags struct {
	addr, storage, authFile, cert, key string
	insecure, readOnly, delete, quiet  bool
}

func (s *session) registryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "registry",
		Short: "A registry of your own, for docker, podman, skopeo and this engine",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(s.registryServe(), s.registryCollect())
	return cmd
}

func (s *session) defaultStorage() string { return filepath.Join(s.home, "registry") }

func (s *session) registryServe() *cobra.Command {
	f := registryFlags{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve images until interrupted",
		Long: `Serve is a registry (OCI distribution API 1.1) on an address of this machine. What is pushed lies in a folder that is an OCI image layout at
the same time: skopeo inspect oci:FOLDER:team/app:1 works, and what other tools put there under such a name is served.`,
		Example: `  learn registry serve &
  learn docker tag cafe localhost:5000/cafe && learn docker push localhost:5000/cafe`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.serveRegistry(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.addr, "addr", "127.0.0.1:5000", "Address to listen on; port 0 takes a free one")
	fl.StringVar(&f.storage, "storage", "", "Folder to keep everything in (default: registry in the engine's folder)")
	fl.StringVar(&f.authFile, "auth-file", "", "Let in only the users of this file, made with htpasswd -B")
	fl.StringVar(&f.cert, "tls-cert", "", "Certificate, in PEM, to serve TLS with")
	fl.StringVar(&f.key, "tls-key", "", "Private key of the certificate")
	fl.BoolVar(&f.insecure, "insecure", false, "Serve other machines without TLS: everybody between can read passwords and change images")
	fl.BoolVar(&f.readOnly, "read-only", false, "Refuse pushes and deletes")
	fl.BoolVar(&f.delete, "delete", false, "Let clients delete tags, manifests and blobs")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Write no line for each request to standard error")
	return cmd
}

// serveRegistry serves until SIGINT or SIGTERM.
func (s *session) serveRegistry(ctx context.Context, f registryFlags) (err error) {
	ctx, done, err := s.record(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	certificate, err := f.certificate()
	if err != nil {
		return err
	}
	o := server.Options{ReadOnly: f.readOnly, Delete: f.delete}
	if f.authFile != "" {
		if o.Auth, err = server.OpenAuth(f.authFile); err != nil {
			return err
		}
	}
	if f.storage == "" {
		f.storage = s.defaultStorage()
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	srv, err := server.New(f.storage, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	l, err := net.Listen("tcp", f.addr)
	if err != nil {
		return fmt.Errorf("serve registry: %w", err)
	}
	return s.listenRegistry(ctx, l, srv, f, certificate)
}

func (s *session) listenRegistry(ctx context.Context, l net.Listener, srv *server.Server, f registryFlags, c *tls.Certificate) error {
	h := srv.Handler()
	trace.Fact(ctx, vocab.RegistryServe, trace.String("address", l.Addr().String()), trace.String("storage", srv.Depot().Dir()))
	if !f.quiet {
		h = server.Logged(h, s.err, time.Now)
	}
	fmt.Fprintf(s.out, "Serving %s on %s; push to %s/NAME:TAG. Ctrl+C ends it.\n", srv.Depot().Dir(), l.Addr(), l.Addr())
	return server.Listen(ctx, l, h, server.ListenOptions{Certificate: c})
}

// certificate reads the certificate; nil where there is none. An address that other machines reach needs one, or the user's word.
func (f registryFlags) certificate() (*tls.Certificate, error) {
	if (f.cert == "") != (f.key == "") {
		return nil, errors.New("--tls-cert and --tls-key belong together: one is given without the other")
	}
	if f.cert != "" {
		c, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		return &c, nil
	}
	if !f.insecure && !registry.Loopback(f.addr) {
		return nil, fmt.Errorf("%s can be reached from other machines, and without TLS everybody between can read passwords and change images: give --tls-cert and --tls-key, or --insecure if that is what you want", f.addr)
	}
	return nil, nil
}

func (s *session) registryCollect() *cobra.Command {
	var storage string
	o := depot.CollectOptions{}
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove the blobs that no manifest needs",
		Long: `Gc removes from a registry's folder what no manifest needs any more. It may run while the registry is served; blobs that came within the last hour
are kept then, as they may belong to a push that is under way.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if storage == "" {
				storage = s.defaultStorage()
			}
			if !cmd.Flags().Changed("older-than") {
				o.Grace = -1
			}
			o.Now = time.Now()
			c, err := depot.Collect(cmd.Context(), storage, o)
			if err != nil {
				return err
			}
			s.tellCollected(c, o.DryRun)
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&storage, "storage", "", "Folder of the registry (default: registry in the engine's folder)")
	fl.BoolVar(&o.DryRun, "dry-run", false, "Only tell what would be removed")
	fl.DurationVar(&o.Grace, "older-than", 0, "Keep what was pushed or asked for more recently than this (default: 1h while the registry is served, otherwise 0)")
	return cmd
}

func (s *session) tellCollected(c depot.Collected, dry bool) {
	verb := "Deleted"
	if dry {
		verb = "Would delete"
	}
	for _, g := range c.Blobs {
		fmt.Fprintln(s.out, "deleted:", g)
	}
	fmt.Fprintf(s.out, "%s %d blobs, %s\n", verb, len(c.Blobs), units.HumanSize(float64(c.Size)))
	if c.Kept > 0 {
		fmt.Fprintf(s.out, "%d blobs without a manifest are young and may belong to a push that is under way: kept (--older-than 0 takes them, too)\n", c.Kept)
	}
}
