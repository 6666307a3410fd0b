package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
)

func (app *App) manifestCommands() []command { return []command{{app.manifestInspect, ""}} }

// remoteManifest reads what a name leads to in its registry, without pulling it.
func (app *App) remoteManifest(ctx context.Context, name string) (oci.Ref, v1.Descriptor, []byte, error) {
	ref, err := oci.ParseRef(name)
	if err != nil {
		return ref, v1.Descriptor{}, nil, plainly("%v", err)
	}
	if err := app.mayReach(ref); err != nil {
		return ref, v1.Descriptor{}, nil, err
	}
	e, err := app.engine(ctx)
	if err != nil {
		return ref, v1.Descriptor{}, nil, err
	}
	c := e.Images.Client()
	d, err := c.Resolve(ctx, ref)
	if err != nil {
		return ref, d, nil, err
	}
	data, err := c.Manifest(ctx, ref, d)
	return ref, d, data, err
}

func (app *App) manifestInspect() *cobra.Command {
	var insecure bool
	cmd := &cobra.Command{
		Use:   "inspect [OPTIONS] MANIFEST",
		Short: "Display an image manifest, or manifest list",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, d, data, err := app.remoteManifest(cmd.Context(), args[0])
			if errors.Is(err, registry.ErrNotFound) {
				return plainly("no such manifest: %s", ref.Familiar())
			}
			if err != nil {
				return err
			}
			return printManifest(app.Out, d, data)
		},
	}
	cmd.Flags().BoolVar(&insecure, "insecure", false, "Allow communication with an insecure registry (those on this machine always are)")
	return cmd
}

// printManifest writes a manifest as it is in the registry, but for white space.
func printManifest(w io.Writer, d v1.Descriptor, data []byte) error {
	indent := "\t"
	if oci.IsIndex(d.MediaType) {
		indent = "   " // which is docker's for lists
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", indent); err != nil {
		return fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	for line := range strings.Lines(b.String()) {
		text := strings.TrimLeft(strings.TrimSuffix(line, "\n"), " \t")
		indent := line[:len(strings.TrimSuffix(line, "\n"))-len(text)]
		if _, err := fmt.Fprintln(w, indent+format.Clean(text)); err != nil {
			return err
		}
	}
	return nil
}

func (app *App) imagetools() *cobra.Command {
	noun := &cobra.Command{Use: "imagetools", Short: "Commands to work on images in registry", Args: unknownVerb, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	noun.AddCommand(app.imagetoolsInspect())
	return noun
}

func (app *App) imagetoolsInspect() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:   "inspect [OPTIONS] NAME",
		Short: "Show details of an image in the registry",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, d, data, err := app.remoteManifest(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if raw {
				_, err := app.Out.Write(data)
				return err
			}
			return printRemote(app.Out, ref, d, data)
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "Show original, unformatted JSON manifest")
	return cmd
}

// printRemote writes what buildx does: what the name leads to, and for a list what is in it.
func printRemote(out io.Writer, ref oci.Ref, d v1.Descriptor, data []byte) error {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintf(w, "Name:\t%s\nMediaType:\t%s\nDigest:\t%s\n", ref.String(), format.Clean(d.MediaType), d.Digest)
	if err := w.Flush(); err != nil || !oci.IsIndex(d.MediaType) {
		return err
	}
	x, err := oci.ParseIndex(data)
	if err != nil {
		return fmt.Errorf("manifest list %s: %w", d.Digest, err)
	}
	fmt.Fprintf(w, "\t\nManifests:\t\n")
	if err := w.Flush(); err != nil {
		return err
	}
	for i, m := range x.Manifests {
		if i > 0 {
			fmt.Fprint(w, "\t\n")
		}
		fmt.Fprintf(w, "  Name:\t%s@%s\n  MediaType:\t%s\n", ref.Name(), m.Digest, format.Clean(m.MediaType))
		if p := m.Platform; p != nil {
			fmt.Fprintf(w, "  Platform:\t%s\n", format.Clean(platformName(p)))
		}
		if len(m.Annotations) > 0 {
			fmt.Fprint(w, "  Annotations:\t\n")
			for _, k := range slices.Sorted(maps.Keys(m.Annotations)) {
				fmt.Fprintf(w, "    %s:\t%s\n", format.Clean(k), format.Clean(m.Annotations[k]))
			}
		}
	}
	return w.Flush()
}

func platformName(p *v1.Platform) string {
	name := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		name += "/" + p.Variant
	}
	return name
}
