package build

import (
	"strings"

	"github.com/learn-containers/learn/trace"
)

const maxEventFiles = 20 // changes that an event lists; more are counted in the last place

// missAttrs are the attributes of the event of a miss. A base is named by whole ids.
func missAttrs(s *StepRecord) []trace.Attr {
	r, near := s.Reason, ""
	if s.Nearest != nil {
		near = s.Nearest.Key.String()
	}
	text := r.Text
	if r.Kind == ReasonBase && r.Old != "" && r.New != "" {
		text = strings.NewReplacer(short(r.Old), r.Old, short(r.New), r.New).Replace(text)
	}
	cause := r.Cause
	if r.At != nil {
		cause = r.At.name(s.Stage)
	}
	files := make([]string, 0, min(len(r.Files), maxEventFiles))
	for _, f := range r.Files[:min(len(r.Files), maxEventFiles)] {
		files = append(files, f.Text)
	}
	return []trace.Attr{
		trace.String("key", s.Key.String()), trace.String("instruction", s.Instruction), trace.String("reason", text), trace.String("reason_kind", r.Kind),
		trace.String("nearest", near), trace.String("cause", cause), trace.Strings("changes", files),
		trace.Int("changed_files", int64(len(r.Files)+r.More)),
	}
}
