package build

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// harmless lists Go's settings that only locate files or affect speed, and so never change a binary.
var harmless = []string{
	"GOAUTH", "GOCACHE", "GOCACHEPROG", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE",
	"GOPROXY", "GOSUMDB", "GOTMPDIR", "GOTOOLCHAIN", "GOVCS",
	"GOGC", "GOMAXPROCS", "GOMEMLIMIT",
}

// reproducible returns an environment in which the go command gives the same binary for everyone. Of Go's own settings
// only the harmless ones are kept, whether they come from the environment or from `go env -w`; GOFLAGS, GOEXPERIMENT,
// GOFIPS140 and any setting added by a later Go version fall back to Go's defaults.
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
