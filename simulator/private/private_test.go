//go:build unix

package private

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFolder proves that a folder that another user can write to or replace is refused, and that an owner's own is taken
// and a new one is closed to others.
func TestFolder(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mode    os.FileMode // of the folder; 0: it does not exist
		parent  os.FileMode
		trusted bool // the parent is
		link    bool // the folder is a link to a private one
		foreign bool // the folder belongs to another user
		refused string
	}{
		"new":                        {parent: 0o755},
		"private":                    {mode: 0o700, parent: 0o755},
		"readable":                   {mode: 0o755, parent: 0o755},
		"for all":                    {mode: 0o777, parent: 0o755, refused: "mode -rwxrwxrwx"},
		"for all, though sticky":     {mode: 0o777 | os.ModeSticky, parent: 0o755, refused: "mode"},
		"for a group":                {mode: 0o770, parent: 0o755, refused: "mode"},
		"a link":                     {mode: 0o700, parent: 0o755, link: true, refused: "is a link"},
		"another's":                  {mode: 0o755, parent: 0o755, foreign: true, refused: "belongs to another user"},
		"in a folder for all":        {mode: 0o700, parent: 0o777, refused: "can be replaced"},
		"in a sticky folder for all": {mode: 0o700, parent: 0o777 | os.ModeSticky},
		"in a trusted one for all":   {mode: 0o700, parent: 0o777, trusted: true},
		"new in a folder for all":    {parent: 0o777, refused: "can be replaced"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent, trusted := t.TempDir(), ""
			path := filepath.Join(parent, "folder")
			if tt.mode != 0 {
				arrange(t, path, tt.mode, tt.foreign)
			}
			if tt.link {
				path += ".link"
				must(t, os.Symlink("folder", path))
			}
			must(t, os.Chmod(parent, tt.parent))
			if tt.trusted {
				trusted = parent
			}
			err := Folder(path, trusted)
			if tt.refused != "" {
				if !errors.As(err, new(*Refusal)) || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("the error is %v, want a refusal with %q", err, tt.refused)
				}
				return
			}
			info, statErr := os.Stat(path)
			if err != nil || statErr != nil {
				t.Fatal(err, statErr)
			}
			if tt.mode == 0 && info.Mode().Perm() != 0o700 {
				t.Errorf("the new folder has the mode %v", info.Mode())
			}
		})
	}
}

// arrange makes a folder whose group is not its owner's private one.
func arrange(t *testing.T, path string, mode os.FileMode, foreign bool) {
	t.Helper()
	must(t, os.Mkdir(path, 0o700))
	if os.Geteuid() == 0 {
		uid := 0
		if foreign {
			uid = 12345
		}
		must(t, os.Chown(path, uid, 54321))
	} else if foreign {
		t.Skip("only root can give a folder away; CI runs this as root")
	} else if mode == 0o770 && os.Getgid() == os.Getuid() {
		t.Skip("this user's group is private; CI runs this as root")
	}
	must(t, os.Chmod(path, mode))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
