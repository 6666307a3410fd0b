package docker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (app *App) imagePull() *cobra.Command {
	var o image.PullOptions
	var all, quiet, noTrust bool
	cmd := &cobra.Command{
		Use:   "pull [OPTIONS] NAME[:TAG|@DIGEST]",
		Short: "Download an image from a registry",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.pull(cmd.Context(), args[0], o, all, quiet)
		},
	}
	cmd.Flags().BoolVarP(&all, "all-tags", "a", false, "Download all tagged images in the repository")
	cmd.Flags().BoolVar(&noTrust, "disable-content-trust", true, "Skip image verification (signatures are not looked at; digests are always verified)")
	cmd.Flags().BoolVar(&o.Referrers, "referrers", true, "Fetch the artifacts that refer to the image, too: signatures, lists of packages")
	cmd.Flags().StringVar(&o.Platform, "platform", "", "Set platform if server is multi-platform capable")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Suppress verbose output")
	return cmd
}

func (app *App) pull(ctx context.Context, name string, o image.PullOptions, all, quiet bool) error {
	ref, err := oci.ParseName(name)
	if err != nil {
		return usagef("%v", err)
	}
	bare := ref.Tag() == "" && ref.Digest() == ""
	if all && !bare {
		return usagef("tag can't be used with --all-tags/-a")
	}
	if _, err := image.ParsePlatform(o.Platform); err != nil {
		return usagef("%v", err)
	}
	out := app.Out
	if quiet {
		out = nil
	}
	if !all && bare {
		ref = ref.WithTag("latest")
		if !quiet {
			fmt.Fprintf(app.Out, "Using default tag: %s\n", ref.Tag())
		}
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	if all {
		err = app.pullAll(ctx, e, ref, o, out)
	} else {
		_, err = app.pullOne(ctx, e, ref, o, out)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(app.Out, ref)
	return nil
}

// pullOne pulls one image and shows it on out, if that is not nil.
func (app *App) pullOne(ctx context.Context, e *engine.Engine, ref oci.Ref, o image.PullOptions, out io.Writer) (image.Pulled, error) {
	if err := app.mayReach(ref); err != nil {
		return image.Pulled{}, err
	}
	if out != nil {
		o.Progress = app.transfer(out)
	}
	got, err := e.Images.PullAlone(ctx, ref, o)
	if err != nil || out == nil {
		return got, err
	}
	fmt.Fprintf(out, "Status: %s %s\n", pullStatus(got.Newer), ref.Familiar())
	if fits, err := image.Fits(got.Image, o.Platform); err == nil && !fits {
		fmt.Fprintf(out, "WARNING: image with reference %s was found but does not match the specified platform: wanted %s, actual: %s\n",
			ref.Familiar(), o.Platform, format.Clean(got.Config.OS+"/"+got.Config.Architecture))
	}
	return got, nil
}

func pullStatus(newer bool) string {
	if newer {
		return "Downloaded newer image for"
	}
	return "Image is up to date for"
}

// pullAll pulls every tag of a repository.
func (app *App) pullAll(ctx context.Context, e *engine.Engine, ref oci.Ref, o image.PullOptions, out io.Writer) error {
	if err := app.mayReach(ref); err != nil {
		return err
	}
	tags, err := e.Images.RemoteTags(ctx, ref)
	if err != nil {
		return err
	}
	newer := false
	for _, tag := range tags {
		if out != nil {
			o.Progress = app.transfer(out)
		}
		got, err := e.Images.PullAlone(ctx, ref.WithTag(tag), o)
		if err != nil {
			return err
		}
		newer = newer || got.Newer
	}
	if out != nil {
		fmt.Fprintf(out, "Status: %s %s\n", pullStatus(newer), ref.Familiar())
	}
	return nil
}

// mayReach refuses to ask registries that are not on this machine when the user wants to be left without a network.
func (app *App) mayReach(ref oci.Ref) error {
	if app.offline() && !registry.Loopback(ref.Domain()) {
		return fmt.Errorf("%s is not asked for: LEARN_OFFLINE is set, so that no registry but those on this machine is asked, and %s is none of them; unset it to go on",
			ref.Familiar(), ref.Domain())
	}
	return nil
}

func (app *App) offline() bool {
	v, ok := app.Environ("LEARN_OFFLINE")
	return ok && v != "" && v != "0"
}

// pullFlags are the options of run and create that concern the image.
type pullFlags struct {
	policy, platform string
	quiet            bool
}

func (f *pullFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.policy, "pull", "missing", `Pull image before running ("always", "missing", "never")`)
	fl.StringVar(&f.platform, "platform", "", "Set platform if server is multi-platform capable")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Suppress the pull output")
	_ = fl.SetAnnotation("platform", "version", []string{"1.32"})
}

func (f *pullFlags) check() error {
	switch f.policy {
	case "always", "missing", "never", "":
	default:
		return usagef("invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"", f.policy)
	}
	if _, err := image.ParsePlatform(f.platform); err != nil {
		return usagef("%v", err)
	}
	return nil
}

// first pulls what is to be pulled before anything is looked for here: always, or for another platform than that of the image here.
func (f *pullFlags) first(ctx context.Context, app *App, e *engine.Engine, name string) error {
	if f.policy == "always" {
		return f.pull(ctx, app, e, name)
	}
	if f.platform == "" {
		return nil
	}
	img, err := e.Images.Resolve(ctx, name)
	if err != nil {
		if image.IsNotFound(err) {
			err = nil // missing tells
		}
		return err
	}
	fits, err := image.Fits(img, f.platform)
	if err != nil || fits {
		return err
	}
	wrong := fmt.Errorf("image with reference %s was found but does not provide the specified platform (%s)", name, f.platform)
	if f.policy == "never" {
		return wrong
	}
	if err := f.pull(ctx, app, e, name); err != nil {
		return fmt.Errorf("%w: %w", wrong, err)
	}
	return nil
}

// missing pulls an image that is not here; notFound is why it must.
func (f *pullFlags) missing(ctx context.Context, app *App, e *engine.Engine, name string, notFound error) error {
	if f.policy == "never" {
		return notFound
	}
	ref, err := oci.ParseRef(name)
	if err != nil {
		return notFound
	}
	if !f.quiet || app.mayReach(ref) != nil {
		fmt.Fprintf(app.Err, "Unable to find image '%s' locally\n", ref.Familiar())
	}
	if err := app.mayReach(ref); err != nil {
		return errors.Join(notFound, err)
	}
	return f.pull(ctx, app, e, name)
}

func (f *pullFlags) pull(ctx context.Context, app *App, e *engine.Engine, name string) error {
	ref, err := oci.ParseRef(name)
	if err != nil {
		return err
	}
	out := app.Err
	if f.quiet {
		out = nil
	}
	_, err = app.pullOne(ctx, e, ref, image.PullOptions{Platform: f.platform, Referrers: true}, out)
	return err
}
