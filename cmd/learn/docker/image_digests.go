package docker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// digestInfo says of one digest of an image what it is the digest of.
type digestInfo struct {
	Kind   string // registry, manifest, config or layer
	Digest digest.Digest
	Of     string   // the bytes that were hashed, in words
	File   string   // where they are; empty if they are not here
	Size   int64    // of the file
	Shown  []string // the commands that show this digest
	Names  []string // repositories that know the image by it
}

// imageDigests are all digests of one image.
type imageDigests struct {
	Image   string
	Digests []digestInfo
}

func (app *App) imageDigests() *cobra.Command {
	var spec string
	cmd := &cobra.Command{
		Use:   "digests [OPTIONS] IMAGE [IMAGE...]",
		Short: "Say what each digest of an image is the digest of, which file it names, and which commands show it",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if spec != "" && spec != "json" {
				return usagef("unknown format %q: expected json", spec)
			}
			return app.explainDigests(cmd.Context(), args, spec == "json")
		},
	}
	cmd.Flags().StringVar(&spec, "format", "", "'json': print in JSON format")
	return cmd
}

func (app *App) explainDigests(ctx context.Context, names []string, asJSON bool) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	var found []any
	var missing []error
	for _, n := range names {
		img, err := e.Images.Resolve(ctx, n)
		if err != nil {
			missing = append(missing, err)
			continue
		}
		found = append(found, digestsOf(e, img, n))
	}
	if asJSON {
		err = format.Objects(app.safeOut(), "", found)
	} else {
		out := bufio.NewWriter(app.safeOut())
		for i, d := range found {
			if i > 0 {
				fmt.Fprintln(out)
			}
			d.(imageDigests).write(out)
		}
		err = out.Flush()
	}
	app.printErrors(missing)
	if err == nil && len(missing) > 0 {
		return &exitError{code: 1}
	}
	return err
}

// digestsOf lists from the outside in: what a registry calls the image, its manifest, its config, its layers.
func digestsOf(e *engine.Engine, img image.Image, name string) imageDigests {
	d := imageDigests{Image: name}
	manifest := img.Manifest.Digest
	for _, ref := range img.Digests {
		if ref.Digest() != manifest {
			d.Digests = append(d.Digests, digestInfo{Kind: "registry", Digest: ref.Digest(), Names: []string{ref.Repository()},
				Of: "what the registry has under the name: its manifest of this image, which lists the layers as they were sent, compressed; or, " +
					"for several platforms, the list of their manifests",
				Shown: []string{"docker images --digests", "docker inspect -f '{{.RepoDigests}}'", "docker pull"}})
		}
	}
	m := digestInfo{Kind: "manifest", Digest: manifest, Of: "the manifest: the digests and sizes of the config and of the layers as they are stored",
		Shown: []string{"docker inspect -f '{{.Descriptor.Digest}}'", "docker push", "index.json"}}
	for _, ref := range img.Digests {
		if ref.Digest() == manifest {
			m.Names = append(m.Names, ref.Repository())
			m.Shown = []string{"docker images --digests", "docker inspect -f '{{.RepoDigests}} {{.Descriptor.Digest}}'", "docker pull", "docker push", "index.json"}
		}
	}
	d.Digests = append(d.Digests, m, digestInfo{Kind: "config", Digest: img.ID, Of: "the config: what a container runs by default, the history, and the digests of the uncompressed layers. It is the image's ID",
		Shown: []string{"docker images", "docker inspect -f '{{.Id}}'", "docker build -q", "docker history", "docker ps --no-trunc"}})
	for i, l := range img.Layers {
		of := fmt.Sprintf("layer %d of %d: the archive of what it adds, changes and deletes", i+1, len(img.Layers))
		shown := []string{"docker inspect -f '{{.RootFS.Layers}}'", "the manifest"}
		if l.Descriptor.Digest != l.DiffID {
			of += ", compressed; uncompressed its digest is " + l.DiffID.String()
			shown = []string{"the manifest", "docker pull"}
		}
		d.Digests = append(d.Digests, digestInfo{Kind: "layer", Digest: l.Descriptor.Digest, Of: of, Shown: shown})
	}
	for i := range d.Digests {
		if size, err := e.Blobs.Stat(d.Digests[i].Digest); err == nil {
			d.Digests[i].File, d.Digests[i].Size = e.Blobs.Path(d.Digests[i].Digest), size
		}
	}
	return d
}

func (d imageDigests) write(w io.Writer) {
	fmt.Fprintf(w, "%s has these digests. Each is the SHA-256 of a file, so that whoever has the digest can check the file.\n", format.Clean(d.Image))
	for _, x := range d.Digests {
		fmt.Fprintf(w, "\n%-9s %s\n", x.Kind, x.Digest)
		fmt.Fprintf(w, "          of %s\n", x.Of)
		if len(x.Names) > 0 {
			fmt.Fprintf(w, "          known by it: %s\n", strings.Join(x.Names, ", "))
		}
		if x.File != "" {
			fmt.Fprintf(w, "          check: sha256sum %s (%d bytes)\n", filepath.ToSlash(x.File), x.Size)
		} else {
			fmt.Fprintf(w, "          not here: only the registry has it\n")
		}
		fmt.Fprintf(w, "          shown by: %s\n", strings.Join(x.Shown, "; "))
	}
}
