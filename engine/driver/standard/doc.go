// Package standard says what every container has, whatever machine it runs on: its mounts, devices and links, the kernel files that are
// hidden from it, the powers that it keeps, and the files of names under /etc.
//
// It is data only and imports next to nothing: a container's first process reads it on its way. Both drivers build containers from it, so
// that they can't drift apart; how something is mounted is each driver's own affair.
package standard
