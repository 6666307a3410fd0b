package docker

import (
	"path"
	"strings"

	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
)

// imageFilter turns --filter words and the optional name of docker images into one question.
func imageFilter(filters, names []string) (func(image.Image, oci.Ref) bool, error) {
	var tests []func(image.Image, oci.Ref) bool
	for _, f := range filters {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			return nil, usagef("invalid filter %q: expected KEY=VALUE", f)
		}
		switch key {
		case "dangling":
			want := value == "true" || value == "1"
			tests = append(tests, func(img image.Image, _ oci.Ref) bool { return (len(img.Refs) == 0) == want })
		case "reference":
			tests = append(tests, func(_ image.Image, r oci.Ref) bool { return matchRef(value, r) })
		case "label":
			tests = append(tests, func(img image.Image, _ oci.Ref) bool { return matchLabel(value, img.Config.Config.Labels) })
		default:
			return nil, usagef("invalid filter %q: expected dangling, reference or label", key)
		}
	}
	for _, n := range names {
		tests = append(tests, func(_ image.Image, r oci.Ref) bool { return matchRef(n, r) })
	}
	return func(img image.Image, r oci.Ref) bool {
		for _, t := range tests {
			if !t(img, r) {
				return false
			}
		}
		return true
	}, nil
}

// matchRef matches a pattern against "repository" and "repository:tag".
func matchRef(pattern string, r oci.Ref) bool {
	for _, name := range []string{r.Repository(), r.Familiar()} {
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
