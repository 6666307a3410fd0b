//go:build linux

// Package rootnet carries out what package network plans where the host's network is out of reach: for an ordinary user, whose commands are
// root in a user namespace of their own and nothing outside it. It does without a daemon and without a rule of the firewall.
//
//   - Each endpoint has an interface in the container's namespace, and a cable: a unix datagram socket in a folder of its network, named by the
//     endpoint's MAC address. The container's supervisor passes frames from the interface to the cable of whom they are for, and from its own
//     cable to the interface. So the folder is the switch: who has no socket there is not on the network.
//   - The gateway is a made up one: each supervisor answers for it, to its own container alone. It knows of neighbours and of ping(8), and says
//     of everything else that there is no way.
//   - The way out is pasta(1) or slirp4netns(1), where one is installed, by an interface of its own. It lives as long as the supervisor.
//   - Dialer connects from within the container's namespace, for published ports.
//
// It does not choose addresses, keeps no record and publishes nothing.
//
// A cable carries a header of 10 bytes (virtio: struct virtio_net_hdr) and a frame (Ethernet without its checksum), which may be a packet of
// 64 KB that the receiving kernel is to cut into pieces, or one whose checksum it is to write: as the interface gave it.
//
// Invariants: a container sends with its own MAC address only; what a member that doesn't read is sent is lost, after a few milliseconds at
// most, and holds no memory but its socket's; a socket whose supervisor died is removed by the first one that comes upon it.
package rootnet
