// Package xray is the simulated X-Ray: a daemon that receives segment documents over UDP, and a bounded store of the
// recent traces built from them.
package xray
