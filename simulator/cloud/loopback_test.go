package cloud

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"heliograph/simulator/gateway"
)

// TestLoopbackOnly proves that no socket of a cloud, or of anything else in these tests, can be reached from another
// machine. The kernel lists this process's sockets by address.
func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the list of a process's sockets is read from /proc: run this on Linux, as CI does")
	}
	c := newTestCloud(t)
	for _, protocol := range []gateway.Protocol{gateway.WebSocket, gateway.HTTP} {
		api := gateway.APIConfig{Name: "n", Protocol: protocol, Address: c.AddressFor(protocol)}
		if protocol == gateway.WebSocket {
			api.RouteSelectionExpression = "$request.body.action"
		}
		if _, err := c.APIs.CreateAPI(api); err != nil {
			t.Fatal(err)
		}
	}
	own, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	inodes := map[string]bool{}
	for _, fd := range own {
		if link, err := os.Readlink(fd); err == nil {
			inodes[strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")] = true
		}
	}
	bound := 0
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			continue // no IPv6 on this machine
		}
		for _, line := range strings.Split(string(text), "\n")[1:] {
			fields := strings.Fields(line) // sl local remote state tx:rx tr:tm retrnsmt uid timeout inode
			if len(fields) < 10 || !inodes[fields[9]] {
				continue
			}
			bound++
			if address, _, _ := strings.Cut(fields[1], ":"); address != "0100007F" {
				t.Errorf("a %s socket is bound to %s, and not to 127.0.0.1", table, fields[1])
			}
		}
	}
	if bound < 5 { // the endpoint, two APIs, the Runtime API, the X-Ray daemon
		t.Errorf("only %d sockets were found", bound)
	}
}
