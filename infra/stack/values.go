package stack

import (
	"errors"
)

// ConfigOf applies values by their keys, as `pulumi config` prints them, to the defaults, for a tool that has to know a
// stack's configuration and does not deploy it. Secrets are left out: such a tool has none. The error names every value
// that is not allowed.
func ConfigOf(values map[string]string) (Config, error) {
	config := DefaultConfig()
	var faults []error
	for _, s := range settings {
		text, found := values[s.key]
		if !found || s.secret {
			continue
		}
		parsed := config
		if err := s.parse(&parsed, text); err != nil || !s.valid(parsed) {
			faults = append(faults, s.fault(text))
			continue
		}
		config = parsed
	}
	return config, errors.Join(faults...)
}
