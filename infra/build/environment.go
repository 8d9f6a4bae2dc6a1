package build

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// harmless are Go's settings that say where things are and how fast to work, and so never change a binary.
var harmless = []string{
	"GOAUTH", "GOCACHE", "GOCACHEPROG", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE",
	"GOPROXY", "GOSUMDB", "GOTMPDIR", "GOTOOLCHAIN", "GOVCS",
	"GOGC", "GOMAXPROCS", "GOMEMLIMIT",
}

// reproducible is an environment in which the go command gives the same binary for everyone. Of Go's own settings only the
// harmless ones remain, whether they stand in the environment or were made by `go env -w`; so GOFLAGS, GOEXPERIMENT,
// GOFIPS140 and those of later Go versions have the defaults of Go itself.
func reproducible(ctx context.Context, folder string, environment []string) ([]string, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"env", "-json"}, harmless...)...)
	command.Dir, command.Env = folder, environment
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("asking go for its settings: %w", err)
	}
	var settings map[string]string
	if err := json.Unmarshal(out, &settings); err != nil {
		return nil, fmt.Errorf("reading go's settings: %w", err)
	}
	kept := slices.DeleteFunc(slices.Clone(environment), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return (strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "CGO_")) && !slices.Contains(harmless, name)
	})
	for name, value := range settings {
		if value != "" {
			kept = append(kept, name+"="+value)
		}
	}
	return append(kept, "GOENV=off", "GOWORK=off", "CGO_ENABLED=0"), nil
}
