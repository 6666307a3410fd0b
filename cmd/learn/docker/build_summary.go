package docker

import (
	"fmt"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/build"
)

// summary says below the progress how much came from the cache, and what first did not that had been there before.
func (app *App) summary(f buildFlags, res build.Result) {
	if !showsSummary(f) || res.Hits+res.Misses == 0 {
		return
	}
	line := fmt.Sprintf("%d of %s from the cache", res.Hits, format.Count(res.Hits+res.Misses, "step"))
	if res.Hits > 0 {
		line += ", " + format.Saving(res.Saved.Seconds, res.Saved.Bytes) + " saved"
	}
	fmt.Fprintf(app.Err, "\n%s\n", line)
	for _, s := range res.Build.Steps {
		if s.Reason == nil || s.Reason.Kind == build.ReasonForced {
			continue
		}
		if s.Nearest != nil {
			fmt.Fprintf(app.Err, "First miss, line %d: %s: %s (more with: learn why)\n", s.Line, format.Clean(format.Ellipsis(firstLine(s.Text), 60)), format.Clean(brief(s.Reason)))
			return
		}
	}
}

// showsSummary tells whether a person reads what is printed.
func showsSummary(f buildFlags) bool {
	return !f.quiet && f.progress != "quiet" && f.progress != "rawjson" && f.progress != "json"
}

// brief names the first of several files.
func brief(r *build.Reason) string {
	if n := len(r.Files) + r.More; n > 1 {
		return fmt.Sprintf("%s; and %d more", r.Files[0].Text, n-1)
	}
	return r.Text
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
