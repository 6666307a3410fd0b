//go:build linux

package rootnet

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/network"
)

// tunDevice makes interfaces whose other end is a descriptor (kernel: networking/tuntap). On most machines everybody may open it.
const tunDevice = "/dev/net/tun"

// queue is how many frames may wait for the supervisor: they can have 64 KB each.
const queue = 128

// openPort makes the interface of an endpoint, for the thread in the container's namespace. What it sends is read from the file, with the
// header of a datagram, and what is written there it receives. The interface goes with the file.
func openPort(e network.Endpoint, hardware net.HardwareAddr) (*os.File, error) {
	fd, err := openTap(e.Interface)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		fd, err = openCableEnd(e, hardware)
	}
	if err != nil {
		return nil, fmt.Errorf("make interface %s: %w", e.Interface, err)
	}
	f := os.NewFile(uintptr(fd), e.Interface)
	if err := prepare(e, hardware); err != nil {
		return nil, errors.Join(err, f.Close(), removeInterface(e.Interface))
	}
	return f, nil
}

// removeInterface removes an interface whose file was closed: a tap is gone by then, and a cable goes some time later, if it isn't told to.
func removeInterface(name string) error {
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(l)
	}
	if err == nil || errors.As(err, &netlink.LinkNotFoundError{}) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return fmt.Errorf("remove interface %s: %w", name, err)
}

// prepare gives the interface what the plan says, save the routes: the way out is another one.
func prepare(e network.Endpoint, hardware net.HardwareAddr) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open rtnetlink: %w", err)
	}
	defer h.Close()
	l, err := h.LinkByName(e.Interface)
	if err == nil {
		err = h.LinkSetHardwareAddr(l, hardware)
	}
	if err == nil {
		err = h.LinkSetTxQLen(l, queue)
	}
	if err == nil && e.MTU != 0 {
		err = h.LinkSetMTU(l, e.MTU)
	}
	if err != nil {
		return fmt.Errorf("prepare interface %s: %w", e.Interface, err)
	}
	e.Gateways = nil
	if err := wiring.Configure(h, e); err != nil {
		return err
	}
	// being asked, the kernel notices that the link is up: left alone, it answers no neighbour of IPv6 for up to a second
	_, err = h.LinkByName(e.Interface)
	return err
}

func openTap(name string) (fd int, err error) {
	fd, err = unix.Open(tunDevice, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", tunDevice, err)
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err == nil {
		err = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4|unix.TUN_F_TSO6)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// openCableEnd does the same where that device is missing: by a cable of the kernel (veth(4)), whose other end is in a namespace that nobody is in,
// and a socket there (packet(7)) that sees all it receives.
func openCableEnd(e network.Endpoint, hardware net.HardwareAddr) (fd int, err error) {
	var space int
	p, err := openPost(func() (err error) { space, err = newSpace(); return err })
	if err != nil {
		return -1, err
	}
	defer p.close()
	defer unix.Close(space)
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.HardwareAddr = e.Interface, e.MTU, hardware
	v := &netlink.Veth{LinkAttrs: attrs, PeerName: otherEnd, PeerMTU: uint32(e.MTU), PeerNamespace: netlink.NsFd(space)}
	if err := netlink.LinkAdd(v); err != nil {
		return -1, err
	}
	err = p.do(func() (err error) { fd, err = listenPackets(); return err })
	return fd, err
}

// otherEnd is the name of a cable's other end.
const otherEnd = "cable"

// newSpace puts the thread into a new network namespace, which says nothing of its own.
func newSpace() (fd int, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return -1, fmt.Errorf("make a network namespace: %w", err)
	}
	err = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return -1, fmt.Errorf("switch IPv6 off: %w", err)
	}
	return unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

// listenPackets reads and writes at the other end of a cable, as long as the socket is open: it holds the namespace.
func listenPackets() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := listenOn(fd); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// room is how many bytes may wait for the supervisor; the kernel gives less if it wants to.
const room = 4 << 20

func listenOn(fd int) error {
	l, err := netlink.LinkByName(otherEnd)
	if err != nil {
		return err
	}
	for _, o := range []int{unix.PACKET_VNET_HDR, unix.PACKET_IGNORE_OUTGOING, unix.PACKET_QDISC_BYPASS} {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, o, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, room)
	const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL<<8&0xff00 // in network order
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: l.Attrs().Index}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return errors.Join(netlink.LinkSetARPOff(l), netlink.LinkSetUp(l))
}
