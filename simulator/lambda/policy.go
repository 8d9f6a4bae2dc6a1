package lambda

import (
	"net/http"

	"heliograph/simulator/iam"
	"heliograph/simulator/wire"
)

// AddPermission adds a statement to a function's resource policy.
func (p *Platform) AddPermission(s Permission) error {
	f, err := p.find(s.Function)
	if err != nil {
		return err
	}
	if s.StatementID == "" || s.Principal == "" {
		return invalidParameter("a permission of %s needs a statement id and a principal", f.Name)
	}
	if !iam.Match(s.Action, "lambda:InvokeFunction") {
		return invalidParameter("the permission %s of %s allows %q; the simulator knows lambda:InvokeFunction only", s.StatementID, f.Name, s.Action)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, other := range f.policy {
		if other.StatementID == s.StatementID {
			return &wire.Error{
				Code: "ResourceConflictException", Status: http.StatusConflict,
				Message: "The statement id (" + s.StatementID + ") provided already exists. Please provide a new statement id, or remove the existing statement.",
			}
		}
	}
	f.policy = append(f.policy, s)
	return nil
}

// Permitted reports whether a function's resource policy lets a principal invoke it from a source.
func (p *Platform) Permitted(function, principal, sourceARN string) bool {
	f, err := p.find(function)
	if err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range f.policy {
		if s.Principal == principal && (s.SourceARN == "" || iam.Match(s.SourceARN, sourceARN)) {
			return true
		}
	}
	return false
}
