package home

// LocksBeside makes h keep its locks beside what they lock, as on a system where an open file can't be moved.
func LocksBeside(h *Home) { h.beside = true }

// Solo tries to take a lock as on a system that has no locks on files.
func Solo(h *Home, path string, exclusive bool) (release func(), ok bool) {
	l := h.newLock(path)
	ok, _ = l.trySolo(exclusive)
	return l.release, ok
}
