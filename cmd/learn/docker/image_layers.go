package docker

import (
	"bufio"
	"context"
	"fmt"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/spf13/cobra"
)

const imageLayersLong = `Look into the layers of an image: what each added, changed and deleted, what it costs, and which instruction made it.
Only the archives are read; nothing is unpacked or run. What was read once is remembered until the next prune.

Without LAYER there is one row per layer, the lowest first: the other way round than docker history, as a Dockerfile is
read. Layers are numbered from 1. Steps of the history that made no layer have no number.
  ADDED CHANGED META DELETED  files: new; with another content or type; with another mode, owner or time only; out of sight
  CONTENT                     bytes of the files in the layer
  WASTED                      of these, what layers above overwrite, delete or hide, so that no container sees it
  SHARED WITH                 other images that have the layer

With LAYER, a number or the begin of a digest, it is the tree of that layer. Marks:
  A  added      C  changed: content or type      M  only mode, owner or time: the layer holds a whole copy all the same
  D  deleted    =  held once more, unchanged     O  an opaque folder: it hides all that the layers below have in it

Efficiency is the part of the bytes in all layers that a container sees. --ci judges by what dive computes, so that
its thresholds and its .dive-ci file mean the same here: efficiency = sum over all paths of the smallest size that a path has
in a layer / sum of all sizes; wasted bytes = sum of all sizes of the paths that are in more than one layer (the one that is
seen, too; files that go with their folder aren't counted); user wasted percent = wasted bytes / bytes of all
layers but the lowest. Exit code 1 if a rule fails.`

const imageLayersExample = `  # Which layer is big, and how much of it is for nothing?
  learn docker image layers shop

  # What did layer 3 do, the largest first? And the ten largest files of it?
  learn docker image layers shop 3 --sort size
  learn docker image layers shop 3 --top 10

  # Where does a file come from, and what became of it?
  learn docker image layers shop --path /etc/passwd

  # What can be read out of the image though no container shows it? And what does it say?
  learn docker image layers shop --hidden
  learn docker image cat shop /app/.env --layer 2

  # In a pipeline
  learn docker image layers shop --ci --lowest-efficiency 0.95 --highest-wasted-bytes 20MB`

type layersFlags struct {
	layer, path, sort            string
	depth, top                   int
	union, changesOnly, hidden   bool
	json, ci, noTrunc, interact  bool
	ciConfig                     string
	efficiency, wasted, userPart string
}

func (app *App) imageLayers() *cobra.Command {
	var f layersFlags
	cmd := &cobra.Command{
		Use:     "layers [OPTIONS] IMAGE [LAYER]",
		Short:   "Look into the layers of an image: what each did, which files are wasted or hidden",
		Long:    imageLayersLong,
		Example: imageLayersExample,
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 2 {
				return atMost(2)(cmd, args)
			}
			if len(args) == 2 {
				if f.layer != "" {
					return usagef("name the layer once: as an argument, or with --layer")
				}
				f.layer = args[1]
			}
			if err := f.check(); err != nil {
				return err
			}
			return app.lookAtLayers(cmd.Context(), f, args[0])
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.layer, "layer", "", "Show the tree of this layer: its number or the begin of its digest")
	fl.StringVar(&f.path, "path", "", "Tell which layer a path comes from, and what each layer did to it")
	fl.BoolVar(&f.union, "union", false, "With a layer: show all that a container of the layers up to it sees")
	fl.BoolVar(&f.changesOnly, "changes-only", false, "With a layer: leave out what it holds unchanged")
	fl.IntVar(&f.depth, "depth", 0, "With a layer: show folders down to this depth (0: all)")
	fl.StringVar(&f.sort, "sort", "name", `With a layer: order by "name" or "size"`)
	fl.IntVar(&f.top, "top", 0, "With a layer: only its largest files, so many; otherwise: how many wasted files are listed (5)")
	fl.BoolVar(&f.hidden, "hidden", false, "List the files whose content is in the layers though no container sees it")
	fl.BoolVar(&f.json, "json", false, "Print one JSON object: the whole analysis")
	fl.BoolVar(&f.ci, "ci", false, "Judge by thresholds, as dive does, and exit with 1 if one is missed")
	fl.StringVar(&f.ciConfig, "ci-config", "", `File with the thresholds (".dive-ci", if there is one)`)
	fl.StringVar(&f.efficiency, "lowest-efficiency", "", `With --ci: lowest efficiency, 0 to 1 ("disabled" for none; 0.9)`)
	fl.StringVar(&f.wasted, "highest-wasted-bytes", "", `With --ci: most wasted bytes, such as 20MB ("disabled")`)
	fl.StringVar(&f.userPart, "highest-user-wasted-percent", "", `With --ci: largest part of the bytes above the lowest layer that is wasted, 0 to 1 ("disabled" for none; 0.1)`)
	fl.BoolVarP(&f.interact, "interactive", "i", false, "Go through layers and trees by keys")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "Don't truncate output")
	return cmd
}

// check refuses what can't be asked together.
func (f layersFlags) check() error {
	asked := ""
	for _, a := range []struct {
		flag string
		set  bool
	}{{"LAYER", f.layer != ""}, {"--path", f.path != ""}, {"--hidden", f.hidden}, {"--ci", f.ci}, {"--interactive", f.interact}} {
		if a.set && asked != "" {
			return usagef("%s and %s can't be used together", asked, a.flag)
		}
		if a.set {
			asked = a.flag
		}
	}
	switch {
	case f.sort != "name" && f.sort != "size":
		return usagef(`invalid argument %q for --sort: it is "name" or "size"`, f.sort)
	case f.depth < 0 || f.top < 0:
		return usagef("--depth and --top can't be negative")
	case f.layer == "" && (f.union || f.changesOnly || f.depth > 0):
		return usagef("--union, --changes-only and --depth are about the tree of a layer: name one")
	case !f.ci && (f.efficiency+f.wasted+f.userPart+f.ciConfig != ""):
		return usagef("thresholds are for --ci")
	case f.interact && f.json:
		return usagef("--interactive and --json can't be used together")
	}
	return nil
}

// lens is an image that is looked into, and where what is found goes.
type lens struct {
	app *App
	layersFlags
	*image.Lens
	engine *engine.Engine
	name   string
	out    *bufio.Writer
}

func (app *App) lookAtLayers(ctx context.Context, f layersFlags, name string) error {
	var rules ciRules
	if f.ci {
		var err error
		if rules, err = app.ciRules(f); err != nil {
			return err
		}
	}
	l, err := app.openLens(ctx, name)
	if err != nil {
		return err
	}
	l.layersFlags = f
	switch {
	case f.interact:
		err = l.interactive(ctx)
	case f.path != "":
		err = l.printPath(ctx)
	case f.hidden:
		err = l.printHidden(ctx)
	case f.layer != "":
		err = l.printLayer(ctx)
	case f.ci:
		err = l.judge(rules)
	case f.json:
		err = l.printAnalysis(ctx)
	default:
		err = l.printTable(ctx)
	}
	if flushed := l.out.Flush(); err == nil {
		err = flushed
	}
	return err
}

// openLens looks into the image that name means.
func (app *App) openLens(ctx context.Context, name string) (*lens, error) {
	e, err := app.engine(ctx)
	if err != nil {
		return nil, err
	}
	img, err := e.Images.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	looked, err := e.Images.Look(ctx, img)
	if err != nil {
		return nil, err
	}
	return &lens{app: app, Lens: looked, engine: e, name: name, out: bufio.NewWriter(app.Out)}, nil
}

func (l *lens) line(layout string, args ...any) { fmt.Fprintf(l.out, layout+"\n", args...) }
