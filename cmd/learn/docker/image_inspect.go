package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	itypes "github.com/moby/moby/api/types/image"
	"github.com/spf13/cobra"
)

const inspectFormatHelp = `Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template`

func (app *App) imageInspect() *cobra.Command {
	var spec, platform string
	var explain bool
	cmd := &cobra.Command{
		Use:   "inspect [OPTIONS] IMAGE [IMAGE...]",
		Short: "Display detailed information on one or more images",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if explain {
				return app.explainDigests(cmd.Context(), args, spec == "json")
			}
			return app.inspectEach(cmd.Context(), spec, args, onPlatform(platform))
		},
	}
	cmd.Flags().StringVarP(&spec, "format", "f", "", inspectFormatHelp)
	cmd.Flags().StringVar(&platform, "platform", "", "Inspect a specific platform of the multi-platform image.\nAn image that is here for another platform is an error. 'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)")
	cmd.Flags().BoolVar(&explain, "digests", false, "Say instead what each digest of the image is the digest of, which file it names, and which commands show it (as: learn docker image digests)")
	return cmd
}

// onPlatform looks for an image that is for the platform; empty stands for any.
func onPlatform(platform string) look {
	return func(ctx context.Context, e *engine.Engine, name string) (any, error) {
		img, err := resolveFor(ctx, e, name, platform)
		if err != nil {
			return nil, err
		}
		return imageResponse(img)
	}
}

// resolveFor is Resolve, with docker's error for an image of another platform.
func resolveFor(ctx context.Context, e *engine.Engine, name, platform string) (image.Image, error) {
	img, err := e.Images.Resolve(ctx, name)
	if err != nil || platform == "" {
		return img, err
	}
	fits, want, err := image.FitsPlatform(img.Config, platform)
	if err != nil || fits {
		return img, err
	}
	if ref, err := oci.ParseRef(name); err == nil {
		name = ref.Familiar()
	}
	return img, &image.PlatformError{Name: name, Have: format.Clean(platformOf(img)), Want: want}
}

// imageDetails is docker's answer to inspect, with the fields that scripts ask for though docker's own types have dropped them.
type imageDetails struct {
	itypes.InspectResponse
	Parent        string // of an image: none, since each names all its layers
	DockerVersion string
}

func imageResponse(img image.Image) (imageDetails, error) {
	r := itypes.InspectResponse{ID: img.ID.String(), RepoTags: refNames(img.Refs), RepoDigests: refNames(img.Digests), Author: img.Config.Author,
		Architecture: img.Config.Architecture, Variant: img.Config.Variant, Os: img.Config.OS, OsVersion: img.Config.OSVersion, Size: img.Size, Descriptor: &img.Manifest}
	if img.Config.Created != nil {
		r.Created = img.Config.Created.Format(time.RFC3339Nano)
	}
	if n := len(img.Config.History); n > 0 {
		r.Comment = img.Config.History[n-1].Comment
	}
	r.RootFS.Type = "layers"
	for _, l := range img.Layers {
		r.RootFS.Layers = append(r.RootFS.Layers, l.DiffID.String())
	}
	raw, err := json.Marshal(img.Config.Config)
	if err != nil {
		return imageDetails{}, fmt.Errorf("encode image config: %w", err)
	}
	r.Config = &dockerspec.DockerOCIImageConfig{}
	if err := json.Unmarshal(raw, r.Config); err != nil {
		return imageDetails{}, fmt.Errorf("encode image config: %w", err)
	}
	return imageDetails{InspectResponse: r}, nil
}
