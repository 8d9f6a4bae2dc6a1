//go:build !unix

package private

import "io/fs"

// Where files have no Unix owners, users' folders are private by default, and nothing more can be checked here.

func writable(fs.FileInfo) bool { return false }

func mine(fs.FileInfo) bool { return true }

func root(fs.FileInfo) bool { return false }
