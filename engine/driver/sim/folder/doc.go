// Package folder keeps a writable folder of the simulated machine that outlives containers and that several of them may use at once, also
// in several processes of the host: cache mounts, volumes.
//
// Owners, modes, devices and links of a container mean nothing on a laptop's file system, and nobody may hold the state in memory who is
// not alone. So each inode is a small file of its own, and so is each name:
//
//	n/ID      what inode(7) tells of the inode ID, as JSON
//	c/ID      the content of a file
//	d/ID/KEY  one name of the folder ID: the number of its inode, its kind and, if KEY can't tell, the name
//	next      the next number that is free
//	lock      held by who changes anything but a content
//
// Every change of a small file replaces it whole. A process that dies between two of them leaves an inode without a name, which goes with
// the folder, or one name too many, never a half one. The inode 1 is the folder itself.
//
// It is simulated, and not what a kernel has, in this: times of a file that is being written are told to other containers when it is
// closed; a pipe made in it joins the processes of one container only; what is locked by programs is not locked elsewhere.
package folder
