package oci

// IsRepository reports that path is one of a repository within a registry, such as "library/debian" (distribution-spec, "Pulling
// manifests"). It has no part that means something to a file system.
func IsRepository(path string) bool { return len(path) <= maxPath && isPath(path) }

// IsTag reports that s can be a tag.
func IsTag(s string) bool { return isTag(s) }
