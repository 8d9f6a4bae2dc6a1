// Package private makes folders for files that are trusted later, such as programs that will run, addresses that will be
// called, and keys: no other user of the machine can write there.
package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Refusal reports a folder that can't be trusted.
type Refusal struct{ Path, Reason string }

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s %s: use a folder that only you can write to", r.Path, r.Reason)
}

// Folder makes a folder that no other user can enter, or accepts an existing one if it is a real folder of this user's
// that no other user can write to or replace. The error is a *Refusal otherwise. Folders from trusted upwards are not
// checked, for instance because their content runs anyway; an empty trusted means that all are.
func Folder(path, trusted string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("make a private folder: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make a private folder: %w", err)
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return fmt.Errorf("check a private folder: %w", err)
	case !info.IsDir():
		return &Refusal{path, "is a link or a file"}
	case !mine(info):
		return &Refusal{path, "belongs to another user"}
	case writable(info):
		return &Refusal{path, fmt.Sprintf("can be written to by other users (mode %v)", info.Mode().Perm())}
	}
	return above(path, trusted)
}

// WriteFile replaces a whole file in one step, so that no reader sees half of it, and a crash leaves the old or the new
// one. Only this user can read it.
func WriteFile(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // for this user only
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// above checks the folders above a folder: another user who can write to one of them could replace the folder.
func above(path, trusted string) error {
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err == nil && trusted != "" {
		trusted, err = filepath.EvalSymlinks(trusted)
	}
	for ; err == nil && parent != trusted; parent = filepath.Dir(parent) {
		var info fs.FileInfo
		if info, err = os.Stat(parent); err != nil {
			break
		}
		switch {
		case !mine(info) && !root(info):
			return &Refusal{path, "can be replaced by another user, the owner of " + parent}
		case writable(info) && info.Mode()&fs.ModeSticky == 0: // in a sticky folder, such as /tmp, only owners rename
			return &Refusal{path, "can be replaced by other users, who can write to " + parent}
		}
		if parent == filepath.Dir(parent) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("check a private folder: %w", err)
	}
	return nil
}
