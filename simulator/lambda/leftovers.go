package lambda

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"heliograph/simulator/process"
)

// makeTemp makes a temporary folder that says by its name, kind-<process id>-<random>, whose it is.
func makeTemp(folder, kind string) (string, error) {
	return os.MkdirTemp(folder, fmt.Sprintf("%s-%d-", kind, os.Getpid()))
}

// removeLeftovers removes the temporary folders of simulators that were killed. Several may share a WorkDir, so those of
// processes that run are left alone. The functions' processes need no such care: the kernel kills them with the
// simulator, or, where it does not, they end when their Runtime API is gone.
func removeLeftovers(workDir string) error {
	for _, pattern := range []string{"environments-*-*", "code/half-*-*"} {
		found, err := fs.Glob(os.DirFS(workDir), pattern)
		if err != nil {
			return fmt.Errorf("finding what a killed simulator left: %w", err)
		}
		for _, folder := range found {
			pid, err := strconv.Atoi(strings.Split(path.Base(folder), "-")[1])
			if err != nil || process.Alive(pid) {
				continue
			}
			if err := os.RemoveAll(filepath.Join(workDir, folder)); err != nil {
				return fmt.Errorf("removing what a killed simulator left: %w", err)
			}
		}
	}
	return nil
}
