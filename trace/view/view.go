// Package view draws a World as plain text.
package view

import (
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/world"
)

// Frame draws w, and the event e that led to it if it isn't nil, in lines of at most width columns.
func Frame(w world.World, e *trace.Event, width int) string { return "" }
