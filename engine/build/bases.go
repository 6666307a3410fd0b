package build

import (
	"context"
	"errors"
	"fmt"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
)

// resolve finds an image that an instruction names, with an error that tells the line.
func (s *session) resolve(ctx context.Context, in dockerfile.Instruction, name string, want dockerfile.Platform) (image.Image, error) {
	img, err := s.base(ctx, name, want)
	if err != nil {
		return image.Image{}, s.plan.File.Failed(in, name, err)
	}
	return img, nil
}

// base finds an image, in its registry if it is not here, is for another platform, or --pull was given. One build asks for each once.
func (s *session) base(ctx context.Context, name string, want dockerfile.Platform) (image.Image, error) {
	id := "image " + name + " " + want.String()
	give, err := s.turns.take(ctx, id)
	if err != nil {
		return image.Image{}, err
	}
	defer give()
	s.mu.Lock()
	img, known := s.bases[id]
	s.mu.Unlock()
	if known {
		return img, nil
	}
	if img, err = s.find(ctx, name, want); err != nil {
		return image.Image{}, err
	}
	s.mu.Lock()
	s.bases[id] = img
	s.mu.Unlock()
	return img, nil
}

func (s *session) find(ctx context.Context, name string, want dockerfile.Platform) (image.Image, error) {
	img, err := s.images.Resolve(ctx, name)
	missing := errors.As(err, new(*image.NotFoundError))
	if err != nil && !missing {
		return img, err
	}
	fits := err == nil && fits(img, want)
	foreign := !want.Same(s.plan.Build)
	if err == nil && !fits && !foreign {
		s.warn(fmt.Sprintf("InvalidBaseImagePlatform: base image %s is for %s, expected %s: its programs may not run here", name, platformOf(img), want))
		fits = true
	}
	ref, badName := oci.ParseRef(name)
	if fits && !s.opts.Pull || badName != nil || ref.Familiar() == s.Builtin {
		if err == nil && !fits {
			err = fmt.Errorf("%s is for %s, not for %s: build for %s, or from an image that has both", name, platformOf(img), want, platformOf(img))
		}
		return img, err
	}
	if s.opts.Offline && !registry.Loopback(ref.Domain()) || s.opts.DryRun {
		if fits {
			s.warn(fmt.Sprintf("%s was not looked for in its registry: no registry is asked (LEARN_OFFLINE or a dry run)", name))
			return img, nil
		}
		if err == nil {
			err = fmt.Errorf("%s is here for %s only, and no registry may be asked for %s", name, platformOf(img), want)
		}
		return img, err
	}
	id := s.display.work("[internal] pull " + ref.String())
	pulled, pullErr := s.images.Pull(ctx, s.op, ref, image.PullOptions{Platform: want.String()})
	s.display.Done(id, pullErr)
	if pullErr != nil && missing {
		return pulled.Image, fmt.Errorf("%w, and its registry does not give it: %w", err, pullErr)
	}
	return pulled.Image, pullErr
}

// fits tells whether an image is for a platform, as far as it says what it is for.
func fits(img image.Image, want dockerfile.Platform) bool {
	c := img.Config
	return c.Architecture == "" || platformOf(img).Same(want)
}

func platformOf(img image.Image) dockerfile.Platform {
	p := dockerfile.Platform{OS: img.Config.OS, Architecture: img.Config.Architecture, Variant: img.Config.Variant}
	if p.OS == "" {
		p.OS = "linux"
	}
	return p.Normal()
}
