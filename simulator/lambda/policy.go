package lambda

import (
	"net/http"
	"regexp"
	"strings"

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
	if !matches(s.Action, "lambda:InvokeFunction") {
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

// Permitted says whether a function's resource policy lets a principal call it from a source.
func (p *Platform) Permitted(function, principal, sourceARN string) bool {
	f, err := p.find(function)
	if err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range f.policy {
		if s.Principal == principal && (s.SourceARN == "" || matches(s.SourceARN, sourceARN)) {
			return true
		}
	}
	return false
}

// matches is IAM's ArnLike and StringLike on what the program uses: * stands for any characters, ? for one.
func matches(pattern, value string) bool {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, `\*`, ".*"), `\?`, ".")
	ok, err := regexp.MatchString("^(?s:"+quoted+")$", value)
	return err == nil && ok
}
