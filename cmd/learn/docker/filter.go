package docker

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
)

// imageFilters are what --filter words of docker images ask for. Several patterns are alternatives; all else must hold.
type imageFilters struct {
	dangling             *bool
	patterns             []string
	labels               []string
	before, since, until []string
}

// parseImageFilters reads filters; names are patterns, too.
func parseImageFilters(filters, names []string) (*imageFilters, error) {
	f := &imageFilters{}
	for _, word := range filters {
		key, value, err := filterWord(word)
		if err != nil {
			return nil, err
		}
		switch key {
		case "dangling":
			want, err := parseFilterBool(key, value)
			if err != nil {
				return nil, err
			}
			f.dangling = &want
		case "reference":
			f.patterns = append(f.patterns, value)
		case "label":
			f.labels = append(f.labels, value)
		case "before":
			f.before = append(f.before, value)
		case "since":
			f.since = append(f.since, value)
		case "until":
			f.until = append(f.until, value)
		default:
			return nil, &filterError{"invalid filter '" + key + "'"}
		}
	}
	f.patterns = append(f.patterns, names...)
	for _, p := range f.patterns {
		if _, err := path.Match(p, ""); err != nil {
			return nil, &filterError{err.Error()}
		}
	}
	return f, nil
}

// filterWord takes a --filter word apart, as docker's client does.
func filterWord(word string) (key, value string, err error) {
	key, value, ok := strings.Cut(word, "=")
	if !ok {
		return "", "", &usageError{msg: fmt.Sprintf("invalid argument %q for \"-f, --filter\" flag: bad format of filter (expected name=value)", word), flag: true}
	}
	return strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value), nil
}

// filterError is a filter that the engine, not the command line, does not take.
type filterError struct{ msg string }

func (e *filterError) Error() string { return e.msg }

func parseFilterBool(key, value string) (bool, error) {
	switch strings.ToLower(value) {
	case "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	}
	return false, &filterError{"invalid filter '" + key + "=[" + value + "]'"}
}

// list gives the images that are asked for, each with those of its names that are.
func (f *imageFilters) list(ctx context.Context, e *engine.Engine) ([]image.Image, error) {
	from, to, err := f.times(ctx, e)
	if err != nil {
		return nil, err
	}
	look := e.Images.Brief
	if len(f.labels) > 0 {
		look = e.Images.List // labels are in the config
	}
	all, err := look(ctx)
	if err != nil {
		return nil, err
	}
	kept := all[:0]
	for _, img := range all {
		if !to.IsZero() && !img.Created.Before(to) || !from.IsZero() && !img.Created.After(from) {
			continue
		}
		if slices.ContainsFunc(f.labels, func(l string) bool { return !matchLabel(l, img.Config.Config.Labels) }) {
			continue
		}
		if f.names(&img) {
			kept = append(kept, img)
		}
	}
	return kept, nil
}

// names leaves the image those of its names that are asked for, and tells whether it is to be shown.
func (f *imageFilters) names(img *image.Image) bool {
	if len(f.patterns) > 0 {
		other := func(r oci.Ref) bool {
			return !slices.ContainsFunc(f.patterns, func(p string) bool { return matchRef(p, r) })
		}
		img.Refs, img.Digests = slices.DeleteFunc(img.Refs, other), slices.DeleteFunc(img.Digests, other)
	}
	nameless := len(img.Refs) == 0 && len(img.Digests) == 0
	switch {
	case nameless && len(f.patterns) > 0:
		return false
	case f.dangling == nil:
		return true
	case *f.dangling:
		return len(img.Refs) == 0
	}
	return !nameless
}

// times turns before, since and until into the times between which an image must have been made; zero for no bound.
func (f *imageFilters) times(ctx context.Context, e *engine.Engine) (from, to time.Time, err error) {
	earlier := func(t time.Time) {
		if !t.IsZero() && (to.IsZero() || t.Before(to)) {
			to = t
		}
	}
	for _, name := range f.before {
		img, err := e.Images.Resolve(ctx, name)
		if err != nil {
			return from, to, err
		}
		earlier(img.Created)
	}
	for _, word := range f.until {
		t, err := parseWhen(word, e.Now())
		if err != nil {
			return from, to, err
		}
		earlier(t)
	}
	for _, name := range f.since {
		img, err := e.Images.Resolve(ctx, name)
		if err != nil {
			return from, to, err
		}
		if img.Created.After(from) {
			from = img.Created
		}
	}
	return from, to, nil
}

// matchRef matches a pattern against "repository" and "repository:tag", as docker shows them.
func matchRef(pattern string, r oci.Ref) bool {
	for _, name := range []string{r.Familiar(), r.Repository()} {
		if ok, err := path.Match(pattern, name); err == nil && ok {
			return true
		}
	}
	return false
}

func matchLabel(want string, labels map[string]string) bool {
	key, value, hasValue := strings.Cut(want, "=")
	got, ok := labels[key]
	return ok && (!hasValue || got == value)
}

// imagePruneFilter reads the filters of a prune: which images it may remove. all tells of dangling=false, which is what --all says.
func imagePruneFilter(filters []string, now time.Time) (match func(image.Image) bool, all bool, err error) {
	var until time.Time
	var labels, not []string
	for _, word := range filters {
		key, value, err := filterWord(word)
		if err != nil {
			return nil, false, err
		}
		switch key {
		case "until":
			if !until.IsZero() {
				return nil, false, &filterError{"more than one until filter specified"}
			}
			if until, err = parseWhen(value, now); err != nil {
				return nil, false, err
			}
		case "label":
			labels = append(labels, value)
		case "label!":
			not = append(not, value)
		case "dangling":
			dangling, err := strconv.ParseBool(value)
			if err != nil {
				return nil, false, &filterError{"invalid filter 'dangling=[" + value + "]'"}
			}
			all = !dangling
		default:
			return nil, false, &filterError{"invalid filter '" + key + "'"}
		}
	}
	if until.IsZero() && labels == nil && not == nil {
		return nil, all, nil
	}
	return func(img image.Image) bool {
		has := func(l string) bool { return matchLabel(l, img.Config.Config.Labels) }
		hasNot := func(l string) bool { return !has(l) }
		switch {
		case img.Damaged != nil: // nobody knows its labels and age
			return false
		case !until.IsZero() && (img.Created.IsZero() || img.Created.After(until)):
			return false
		case slices.ContainsFunc(labels, hasNot):
			return false
		}
		// As docker has it, an image stays for having all labels that label! names.
		return not == nil || slices.ContainsFunc(not, hasNot)
	}, all, nil
}
