//go:build linux

package machine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	bridge = "br0"
	uplink = "eth0"
	// linkTimeout bounds the wait of a node for its interface, which takes
	// milliseconds.
	linkTimeout = 30 * time.Second
)

func podCIDR(index int) string { return fmt.Sprintf("%s.%d.0/24", podNetwork, 1+index) }

// buildSwitch makes the bridge to which the nodes are connected. It leads
// nowhere else.
func buildSwitch() error {
	if err := setUp("lo"); err != nil {
		return err
	}
	// Its hardware address must not change with its ports.
	attributes := netlink.NewLinkAttrs()
	attributes.Name = bridge
	attributes.HardwareAddr = net.HardwareAddr{0x02, 0x4e, 0x4f, 0x56, 0x41, 0x01}
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attributes}); err != nil {
		return fmt.Errorf("make the bridge: %w", err)
	}
	if err := addAddress(bridge, Gateway+"/24"); err != nil {
		return err
	}
	if err := setUp(bridge); err != nil {
		return err
	}
	// The control plane reaches Services by way of a node.
	if err := addRoute(ServiceCIDR, NodeAddress(0)); err != nil {
		return err
	}
	return writeSysctl("net/ipv4/ip_forward", "1")
}

// plug connects a node, whose first process is pid, to the switch.
func plug(index, pid int) error {
	name := "node" + strconv.Itoa(index)
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: uplink, PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("connect node %d: %w", index, err)
	}
	port, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	to, err := netlink.LinkByName(bridge)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMaster(port, to); err != nil {
		return err
	}
	if err := setUp(name); err != nil {
		return err
	}
	return addRoute(podCIDR(index), NodeAddress(index))
}

// connectNode configures the network of the node of an index, as soon as it is
// plugged in.
func connectNode(index, nodes int) error {
	if err := setUp("lo"); err != nil {
		return err
	}
	deadline := time.Now().Add(linkTimeout)
	for {
		if _, err := netlink.LinkByName(uplink); err == nil {
			break
		} else if time.Now().After(deadline) {
			return fmt.Errorf("waiting for the interface %s for %s: %w", uplink, linkTimeout, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := addAddress(uplink, NodeAddress(index)+"/24"); err != nil {
		return err
	}
	if err := setUp(uplink); err != nil {
		return err
	}
	if err := addRoute("0.0.0.0/0", Gateway); err != nil {
		return err
	}
	for other := range nodes {
		if other == index {
			continue
		}
		if err := addRoute(podCIDR(other), NodeAddress(other)); err != nil {
			return err
		}
	}
	if err := writeSysctl("net/ipv4/ip_forward", "1"); err != nil {
		return err
	}
	// Policies apply between pods of one node as well. Without bridge netfilter
	// they would not, and the file would be missing.
	return writeSysctl("net/bridge/bridge-nf-call-iptables", "1")
}

func writeSysctl(name, value string) error {
	return os.WriteFile("/proc/sys/"+name, []byte(value), 0o644)
}

func setUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	return netlink.LinkSetUp(link)
}

func addAddress(name, address string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	parsed, err := netlink.ParseAddr(address)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, parsed); err != nil {
		return fmt.Errorf("address %s of %s: %w", address, name, err)
	}
	return nil
}

func addRoute(to, via string) error {
	_, network, err := net.ParseCIDR(to)
	if err != nil {
		return err
	}
	if err := netlink.RouteReplace(&netlink.Route{Dst: network, Gw: net.ParseIP(via)}); err != nil {
		// The next hop of a route need not be there yet, but its network must.
		return fmt.Errorf("route to %s by way of %s: %w", to, via, err)
	}
	return nil
}

// proxy forwards the connections of a listener to an address inside of the
// namespaces.
func proxy(listener net.Listener, address string) {
	for {
		outside, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			say("accept: %v", err)
			time.Sleep(poll)
			continue
		}
		go forward(outside, address)
	}
}

func forward(outside net.Conn, address string) {
	defer outside.Close()
	inside, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return
	}
	defer inside.Close()
	done := make(chan struct{}, 2)
	copyAll := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		if half, ok := to.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		done <- struct{}{}
	}
	go copyAll(inside, outside)
	go copyAll(outside, inside)
	<-done
	<-done
}
