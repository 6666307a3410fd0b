package docker

import (
	"encoding/json"
	"fmt"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/build"
)

// printDryRun says what a build would do: HIT or MISS for each step, and why.
func (app *App) printDryRun(f buildFlags, res build.Result) error {
	if f.format == "json" {
		enc := json.NewEncoder(app.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(res.Build)
	}
	stage, last := -1, build.Saving{}
	for _, s := range res.Build.Steps {
		if s.Stage != stage {
			stage = s.Stage
			app.printBase(res.Build, stage)
		}
		fmt.Fprintf(app.Out, "%s  line %d: %s\n", verdict(s.Hit), s.Line, format.Clean(firstLine(s.Text)))
		switch {
		case s.Hit:
			continue
		case s.Nearest != nil:
			last.Seconds, last.Bytes = last.Seconds+s.Nearest.Seconds, last.Bytes+s.Nearest.Bytes
		}
		fmt.Fprintf(app.Out, "      runs, because %s\n", format.Clean(subject(s.Reason)))
	}
	fmt.Fprintf(app.Out, "\n%d of %s would come from the cache: %s saved. ", res.Hits, format.Count(res.Hits+res.Misses, "step"), format.Saving(res.Saved.Seconds, res.Saved.Bytes))
	if res.Misses == 0 {
		fmt.Fprintln(app.Out, "Nothing would be carried out.")
		return nil
	}
	fmt.Fprintf(app.Out, "%d would be carried out", res.Misses)
	if last.Seconds > 0 {
		fmt.Fprintf(app.Out, "; the last time that took %s", format.Saving(last.Seconds, last.Bytes))
	}
	fmt.Fprintln(app.Out, ". Nothing was carried out or written.")
	return nil
}

func (app *App) printBase(b build.BuildRecord, stage int) {
	for _, base := range b.Bases {
		if base.Stage != stage {
			continue
		}
		name := ""
		if base.StageName != "" {
			name = " AS " + base.StageName
		}
		fmt.Fprintf(app.Out, "FROM  line %d: %s%s\n", base.Line, format.Clean(base.Name), format.Clean(name))
	}
}

func verdict(hit bool) string {
	if hit {
		return "HIT "
	}
	return "MISS"
}

// subject makes a reason the second half of a sentence: some begin with their verb.
func subject(r *build.Reason) string {
	switch r.Kind {
	case build.ReasonNever, build.ReasonGone, build.ReasonFailed:
		return "it " + r.Text
	}
	return r.Text
}
