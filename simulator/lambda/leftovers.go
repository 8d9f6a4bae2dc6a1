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

// makeTemp makes a temporary folder whose name, kind-<process id>-<random>, identifies its owner.
func makeTemp(folder, kind string) (string, error) {
	return os.MkdirTemp(folder, fmt.Sprintf("%s-%d-", kind, os.Getpid()))
}

// removeLeftovers deletes the temporary folders of simulators that were killed. Several simulators may share a WorkDir,
// so folders of running processes stay. The functions' processes need no such care: the kernel kills them along with
// the simulator, or, on other systems, they end when their Runtime API is gone.
func removeLeftovers(workDir string) error {
	// Earlier versions kept every archive that they had ever unpacked.
	if err := os.RemoveAll(filepath.Join(workDir, "code")); err != nil {
		return fmt.Errorf("removing what an earlier version left: %w", err)
	}
	for _, pattern := range []string{"environments-*-*", "code-*-*"} {
		found, err := fs.Glob(os.DirFS(workDir), pattern)
		if err != nil {
			return fmt.Errorf("finding leftovers of a killed simulator: %w", err)
		}
		for _, folder := range found {
			pid, err := strconv.Atoi(strings.Split(path.Base(folder), "-")[1])
			if err != nil || process.Alive(pid) {
				continue
			}
			if err := os.RemoveAll(filepath.Join(workDir, folder)); err != nil {
				return fmt.Errorf("removing leftovers of a killed simulator: %w", err)
			}
		}
	}
	return nil
}
