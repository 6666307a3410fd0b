// Package proxy publishes ports of containers in userspace: it listens on the host, and takes what comes to the container by a Dial of the
// caller, which may connect from within another namespace. It serves where the kernel can't be asked to rewrite addresses.
//
// It knows no containers, chooses no addresses and changes no firewall. The container sees connections from where Dial connects, not from
// the client.
//
// Invariants:
//   - Open opens all listeners, or none.
//   - After Close there is no goroutine, descriptor or connection left.
//   - What one side of a TCP connection does, the other one sees: data, the end of data in one direction, a reset. Exceptions: a client is
//     accepted before the container is asked, and reset if it refuses; and when data has ended in both directions but one, a reset by the side
//     that waits is seen only when something is sent to it.
//   - A UDP port has at most Config.Sessions clients; the one that was silent for longest makes room for a new one.
package proxy
