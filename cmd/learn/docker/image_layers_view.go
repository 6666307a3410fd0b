package docker

import "context"

func (l *lens) interactive(ctx context.Context) error {
	return usagef("--interactive needs a terminal")
}
