//go:build unix

package private

import (
	"io/fs"
	"os"
	"syscall"
)

// writable reports whether other users may write to a folder. A group with the number of the folder's owner is taken to be
// the owner's private group, which many systems let write by default.
func writable(info fs.FileInfo) bool {
	at := info.Sys().(*syscall.Stat_t)
	return info.Mode()&0o002 != 0 || info.Mode()&0o020 != 0 && at.Gid != at.Uid
}

func mine(info fs.FileInfo) bool {
	return info.Sys().(*syscall.Stat_t).Uid == uint32(os.Geteuid())
}

func root(info fs.FileInfo) bool { return info.Sys().(*syscall.Stat_t).Uid == 0 }
