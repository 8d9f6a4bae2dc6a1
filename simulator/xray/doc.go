// Package xray is the simulated X-Ray: a daemon that takes segment documents over UDP, and a bounded store of
// the recent traces that they make up.
package xray
