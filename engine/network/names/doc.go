// Package names is the name server that a container on a network has at network.ResolverAddress. It answers for the names of the container's
// networks, and asks other servers about everything else.
//
// It opens no listener, enters no namespace and reads no file: the caller brings listeners, a Lookup, and a Dial that reaches the servers. It
// keeps no cache: the servers have one, and what is in the networks may change at any time.
//
// Invariants:
//   - A name that Lookup knows is never asked of another server, whatever the type of the question.
//   - With no Servers nothing is dialed: other names don't exist (RFC 1035: NXDOMAIN). REFUSED would say it better, but musl's resolver then
//     waits for its timeout, and so would every program in the container.
//   - Every message is read as hostile input, from clients and from servers; what is held for one client, and for all, is bounded.
package names
