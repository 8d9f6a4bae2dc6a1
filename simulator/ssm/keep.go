package ssm

import "fmt"

// Keep returns all versions of all parameters, by name, oldest first. Values are in clear text.
func (s *Server) Keep() map[string][]Parameter {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := map[string][]Parameter{}
	for name, versions := range s.parameters {
		kept[name] = append([]Parameter(nil), versions...)
	}
	return kept
}

// Load replaces the versions of a parameter by kept ones.
func (s *Server) Load(name string, versions []Parameter) error {
	for i, p := range versions {
		if p.Name != name {
			return fmt.Errorf("load the parameter %s: version %d is of %s", name, p.Version, p.Name)
		}
		if err := p.check(); err != nil {
			return fmt.Errorf("load version %d of the parameter %s: %w", p.Version, name, err)
		}
		if p.Type == SecureString {
			versions[i].encrypted = opaque(len(p.Value))
		}
	}
	if err := checkName(name); err != nil {
		return fmt.Errorf("load the parameter %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parameters[name] = versions
	return nil
}
