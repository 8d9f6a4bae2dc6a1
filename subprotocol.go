package heliograph

import "strings"

// The subprotocols that a client may offer when it connects. The first only keeps a browser content that sends its token
// beside it; a client of the second talks as docs/clients.md says.
const (
	Subprotocol   = "heliograph"
	SubprotocolV1 = "heliograph.v1"
)

// Offers reports whether a client offers a subprotocol, by the headers of an API Gateway event. A header's name is
// case-insensitive, and its list may span several headers; the map of single values holds the last one again.
func Offers(last map[string]string, all map[string][]string, protocol string) bool {
	offered := func(name, list string) bool {
		if !strings.EqualFold(name, "Sec-WebSocket-Protocol") {
			return false
		}
		for one := range strings.SplitSeq(list, ",") {
			if strings.TrimSpace(one) == protocol {
				return true
			}
		}
		return false
	}
	for name, list := range last {
		if offered(name, list) {
			return true
		}
	}
	for name, lists := range all {
		if offered(name, strings.Join(lists, ",")) {
			return true
		}
	}
	return false
}
