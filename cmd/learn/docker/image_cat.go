package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
	"github.com/spf13/cobra"
)

const imageCatLong = `Print a file of an image, out of the archives of its layers; nothing is unpacked or run.

With --layer it is the file as a container of the layers up to that one sees it. So a file that a later layer deleted or
overwrote can be read as well: it is in the archive of its layer for good (docker image layers IMAGE --hidden lists such files).

Symbolic links in the folders of PATH are followed, and with -L that of PATH itself, never out of the image's root. On a
terminal control characters are made visible; into a file or pipe every byte goes as it is.`

const imageCatExample = `  learn docker image cat shop /etc/os-release
  learn docker image cat shop /app/.env --layer 2
  learn docker image cat -o sh shop /bin/sh -L`

type catFlags struct {
	layer, output string
	follow        bool
}

func (app *App) imageCat() *cobra.Command {
	var f catFlags
	cmd := &cobra.Command{
		Use:     "cat [OPTIONS] IMAGE PATH",
		Short:   "Print a file of an image, as any of its layers has it",
		Long:    imageCatLong,
		Example: imageCatExample,
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.catFile(cmd.Context(), f, args[0], args[1])
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.layer, "layer", "", "As it was at this layer: its number from 1, or the begin of its digest (default: the top one)")
	fl.StringVarP(&f.output, "output", "o", "", "Write to a file, instead of STDOUT")
	fl.BoolVarP(&f.follow, "follow-link", "L", false, "Follow a symbolic link, inside the image")
	return cmd
}

func (app *App) catFile(ctx context.Context, f catFlags, name, path string) error {
	l, err := app.openLens(ctx, name)
	if err != nil {
		return err
	}
	n := len(l.Layers)
	if f.layer != "" {
		if n, err = l.FindLayer(f.layer); err != nil {
			return err
		}
	}
	file, err := l.Find(ctx, path, n, f.follow)
	if err != nil {
		return l.advise(err)
	}
	if f.output != "" {
		return app.output(f.output, func(w io.Writer) error { return l.Copy(ctx, w, file) })
	}
	var w io.Writer = app.Out
	if isTerminal(app.Out) {
		w = &harmless{w: app.Out}
	}
	return l.Copy(ctx, w, file)
}

// advise says behind an error what can be done.
func (l *lens) advise(err error) error {
	var gone *image.GoneError
	var link *image.LinkError
	switch {
	case errors.As(err, &link):
		return fmt.Errorf("%s: follow it with -L", format.Clean(err.Error()))
	case errors.As(err, &gone) && len(gone.Copies) > 0:
		n := gone.Copies[len(gone.Copies)-1]
		return fmt.Errorf("%s; the archive of layer %d still has it: docker image cat %s %s --layer %d", format.Clean(err.Error()), n, l.name, format.Clean(gone.Path), n)
	}
	return errors.New(format.Clean(err.Error()))
}

// harmless writes to a terminal: what could steer it is made visible, but for line breaks and tabs.
type harmless struct {
	w    io.Writer
	rest []byte // the begin of a character whose end has yet to come
}

func (h *harmless) Write(p []byte) (int, error) {
	data := append(h.rest, p...)
	keep := 0
	for i := 1; i < min(utf8.UTFMax, len(data)+1); i++ {
		if tail := data[len(data)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				keep = i
			}
			break
		}
	}
	h.rest = append([]byte(nil), data[len(data)-keep:]...)
	text := string(data[:len(data)-keep])
	for len(text) > 0 {
		end := 0
		for end < len(text) && text[end] != '\n' && text[end] != '\t' {
			end++
		}
		line := format.Clean(text[:end])
		if end < len(text) {
			line += text[end : end+1]
			end++
		}
		if _, err := io.WriteString(h.w, line); err != nil {
			return 0, err
		}
		text = text[end:]
	}
	return len(p), nil
}
