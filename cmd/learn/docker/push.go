package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/spf13/cobra"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

type pushFlags struct {
	all, quiet, untrusted, referrers bool
	compression                      string
	image.PushOptions
}

func (app *App) imagePush() *cobra.Command {
	var f pushFlags
	cmd := &cobra.Command{
		Use:   "push [OPTIONS] NAME[:TAG]",
		Short: "Upload an image to a registry",
		Args:  exactly(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.push(cmd.Context(), args[0], f) },
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all-tags", "a", false, "Push all tags of an image to the repository")
	fl.BoolVar(&f.untrusted, "disable-content-trust", true, "Skip image signing")
	fl.StringVar(&f.Platform, "platform", "", "Push a platform-specific manifest as a single-platform image to the registry")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Suppress verbose output")
	fl.BoolVar(&f.referrers, "referrers", true, "Give the artifacts that refer to the image along: signatures, lists of packages")
	fl.StringVar(&f.compression, "compression", "gzip", `Compression of layers that were made here ("gzip", "zstd", "none")`)
	fl.IntVar(&f.Level, "compression-level", 0, "Level of the compression: gzip 1 to 9, zstd 1 to 22, 0 for the usual one")
	return cmd
}

func (f *pushFlags) check(ref oci.Ref) error {
	switch f.Compression = layer.Compression(f.compression); f.Compression {
	case layer.Gzip, layer.Zstd, layer.None:
	default:
		return usagef("invalid --compression %q: expected gzip, zstd or none", f.compression)
	}
	if limit := map[layer.Compression]int{layer.Gzip: 9, layer.Zstd: 22}[f.Compression]; f.Level < 0 || f.Level > limit {
		return usagef("invalid --compression-level %d: %s has 0 to %d", f.Level, f.compression, limit)
	}
	if f.Platform != "" {
		if _, err := image.ParsePlatform(f.Platform); err != nil {
			return usagef("invalid --platform: %v", err)
		}
	}
	switch {
	case ref.Digest() != "":
		return plainly("cannot push a digest reference")
	case f.all && ref.Tag() != "":
		return plainly("tag can't be used with --all-tags/-a")
	}
	return nil
}

func (app *App) push(ctx context.Context, name string, f pushFlags) error {
	ref, err := oci.ParseName(name)
	if err != nil {
		return plainly("%v", err)
	}
	if err := f.check(ref); err != nil {
		return err
	}
	progress := app.transfer(app.Out)
	if f.quiet {
		progress = unheard{}
	}
	f.Progress, f.Alone = progress, !f.referrers
	if ref.Tag() == "" && !f.all {
		ref = ref.WithTag("latest")
		progress.Say("Using default tag: latest")
	}
	if err := app.mayReach(ref); err != nil {
		return err
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	if err := app.pushTags(ctx, e, ref, f); err != nil {
		return err
	}
	if f.quiet {
		fmt.Fprintln(app.Out, ref.String())
	}
	return nil
}

// pushTags pushes ref, or every tag of its repository where it has none.
func (app *App) pushTags(ctx context.Context, e *engine.Engine, ref oci.Ref, f pushFlags) error {
	f.Progress.Say("The push refers to repository [" + ref.Name() + "]")
	tags, err := e.Images.Tags(ref)
	switch {
	case err != nil:
		return err
	case len(tags) == 0:
		return plainly("An image does not exist locally with the tag: %s", ref.Repository())
	case ref.Tag() != "" && !slices.Contains(tags, ref):
		return plainly("tag does not exist: %s", ref.Familiar())
	case ref.Tag() != "":
		tags = []oci.Ref{ref}
	}
	for _, tag := range tags {
		d, err := e.Images.PushName(ctx, tag, f.PushOptions)
		if err != nil {
			return pushFailed(err)
		}
		f.Progress.Say(fmt.Sprintf("%s: digest: %s size: %d", tag.Tag(), d.Digest, d.Size))
	}
	return nil
}

// unheard is the image.Progress of --quiet.
type unheard struct{}

func (unheard) Say(string)           {}
func (unheard) Blob(image.BlobState) {}

// pushFailed says what docker says of a refusal, and then what happened and how to mend it.
func pushFailed(err error) error {
	var e *registry.Error
	if !errors.As(err, &e) {
		return err
	}
	words := refusalWords(e)
	if words == "" {
		return err
	}
	return plainly("%s\nWhat to do: %s", words, format.Clean(e.Reason))
}

// refusalWords are docker's for an answer of a registry; none where docker has none of its own.
func refusalWords(e *registry.Error) string {
	var answer *errcode.ErrorResponse
	errors.As(e.Err, &answer)
	switch {
	case errors.Is(e.Err, auth.ErrBasicCredentialNotFound):
		return "no basic auth credentials"
	case e.Kind == registry.ErrDenied && e.Status == 401 && answer != nil && len(answer.Errors) > 0 && answer.Errors[0].Code == "UNAUTHORIZED":
		return "unauthorized: authentication required"
	case e.Kind == registry.ErrDenied:
		return "denied: requested access to the resource is denied"
	case e.Status == 429:
		return "toomanyrequests: You have reached your pull rate limit or push rate limit."
	case answer != nil && len(answer.Errors) > 0:
		return format.Clean(answer.Errors[0].Error())
	}
	return ""
}
