package lessons

// Var is one seeded variable: its name and how its value is drawn.
type Var struct {
	Name   string
	Source string // rand(4, 9), word(), pick("a", "b") or a plain value
	Line   int
}
