package shim

// Main runs a stage and never returns.
func Main(stage string) {}
