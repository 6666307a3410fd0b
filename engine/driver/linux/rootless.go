package linux

// Reexec puts an ordinary user's command into a user namespace.
func Reexec() error { return nil }

func namespaceHint(err error) error { return err }
