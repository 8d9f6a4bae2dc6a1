package ssm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"heliograph/simulator/wire"
)

// Service returns the server's API, to be registered with a wire.Endpoint.
func (s *Server) Service() wire.Service {
	one := func(name string) []string {
		name, _, _ = strings.Cut(s.nameOf(name), ":") // a version is not part of the resource
		return []string{s.ARN(name)}
	}
	return wire.Service{
		Name: "ssm", TargetPrefix: "AmazonSSM", JSONVersion: "1.1",
		Model: model,
		Actions: map[string]wire.Action{
			"PutParameter":    wire.Do(s.putParameter, func(in *putParameterInput) []string { return one(in.Name) }),
			"GetParameter":    wire.Do(s.getParameter, func(in *getParameterInput) []string { return one(in.Name) }),
			"DeleteParameter": wire.Do(s.deleteParameter, func(in *deleteParameterInput) []string { return one(in.Name) }),
			"GetParameters": wire.Do(s.getParameters, func(in *getParametersInput) (arns []string) {
				for _, name := range in.Names {
					arns = append(arns, one(name)...)
				}
				return arns
			}),
			"GetParametersByPath": wire.Do(s.getParametersByPath, func(in *getParametersByPathInput) []string { return []string{s.ARN(in.Path)} }),
			"DescribeParameters":  wire.Do(s.describeParameters, func(*describeParametersInput) []string { return []string{"*"} }),
		},
	}
}

// Inputs and outputs have the members of AWS's API that are supported here; wire refuses any other.
type (
	putParameterInput struct {
		Name        string
		Description string
		Value       string
		Type        Type
		KeyID       string `json:"KeyId"`
		Overwrite   bool
		Tier        string
		DataType    string
	}

	putParameterOutput struct {
		Version int
		Tier    string
	}

	getParameterInput struct {
		Name           string
		WithDecryption bool
	}

	getParameterOutput struct{ Parameter shownParameter }

	// shownParameter is a parameter with its value. LastModifiedDate is in Unix seconds.
	shownParameter struct {
		Name             string
		Type             Type
		Value            string
		Version          int
		Selector         string `json:",omitempty"`
		LastModifiedDate float64
		ARN              string
		DataType         string
	}

	getParametersInput struct {
		Names          []string
		WithDecryption bool
	}

	getParametersOutput struct {
		Parameters        []shownParameter
		InvalidParameters []string
	}

	getParametersByPathInput struct {
		Path           string
		Recursive      bool
		WithDecryption bool
		MaxResults     *int
		NextToken      string
	}

	getParametersByPathOutput struct {
		Parameters []shownParameter
		NextToken  string `json:",omitempty"`
	}

	describeParametersInput struct {
		MaxResults *int
		NextToken  string
	}

	describeParametersOutput struct {
		Parameters []describedParameter
		NextToken  string `json:",omitempty"`
	}

	// describedParameter is a parameter without its value.
	describedParameter struct {
		Name             string
		ARN              string
		Type             Type
		KeyID            string `json:"KeyId,omitempty"`
		LastModifiedDate float64
		Description      string `json:",omitempty"`
		Version          int
		Tier             string
		DataType         string
	}

	deleteParameterInput struct{ Name string }

	empty struct{}
)

// putParameter accepts the simulated tier and data type, for clients that always send them.
func (s *Server) putParameter(_ context.Context, in *putParameterInput) (*putParameterOutput, error) {
	switch {
	case in.Tier != "" && in.Tier != "Standard":
		return nil, errValidation("The tier " + in.Tier + " is not simulated; Standard is.")
	case in.DataType != "" && in.DataType != "text":
		return nil, errValidation("The data type " + in.DataType + " is not simulated; text is.")
	}
	version, err := s.Put(Parameter{
		Name: in.Name, Type: in.Type, Value: in.Value, Description: in.Description, KeyID: in.KeyID,
	}, in.Overwrite)
	return &putParameterOutput{version, "Standard"}, err
}

// show returns a parameter for a response, its value decrypted only on request.
func (s *Server) show(p Parameter, selector string, decrypt bool) shownParameter {
	value := p.Value
	if p.Type == SecureString && !decrypt {
		value = p.encrypted
	}
	return shownParameter{
		Name: p.Name, Type: p.Type, Value: value, Version: p.Version, Selector: selector,
		LastModifiedDate: unix(p), ARN: s.ARN(p.Name), DataType: "text",
	}
}

// unix is a parameter's time in seconds, to the millisecond, as in AWS's JSON.
func unix(p Parameter) float64 { return float64(p.Modified.UnixMilli()) / 1000 }

func (s *Server) getParameter(_ context.Context, in *getParameterInput) (*getParameterOutput, error) {
	p, selector, err := s.get(in.Name)
	if err != nil {
		return nil, err
	}
	return &getParameterOutput{s.show(p, selector, in.WithDecryption)}, nil
}

// getParameters returns the existing parameters, and lists the other names separately, without an error.
func (s *Server) getParameters(_ context.Context, in *getParametersInput) (*getParametersOutput, error) {
	if n := len(in.Names); n < 1 || n > 10 {
		return nil, errValidation(fmt.Sprintf("Names must be 1 to 10, not %d.", n))
	}
	out := &getParametersOutput{Parameters: []shownParameter{}, InvalidParameters: []string{}}
	for i, name := range in.Names {
		if slices.Contains(in.Names[:i], name) {
			return nil, errValidation("Duplicated parameter name: " + name)
		}
		p, selector, err := s.get(name)
		if err != nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		out.Parameters = append(out.Parameters, s.show(p, selector, in.WithDecryption))
	}
	return out, nil
}

// getParametersByPath returns the parameters directly in a folder, or anywhere below it.
func (s *Server) getParametersByPath(_ context.Context, in *getParametersByPathInput) (*getParametersByPathOutput, error) {
	if !strings.HasPrefix(in.Path, "/") {
		return nil, errValidation("The parameter path must begin with /.")
	}
	folder := strings.TrimSuffix(in.Path, "/") + "/"
	var found []Parameter
	for _, p := range s.Parameters() {
		rest, inside := strings.CutPrefix(p.Name, folder)
		if inside && (in.Recursive || !strings.Contains(rest, "/")) {
			found = append(found, p)
		}
	}
	found, next, err := page(found, in.MaxResults, 10, in.NextToken)
	out := &getParametersByPathOutput{Parameters: []shownParameter{}, NextToken: next}
	for _, p := range found {
		out.Parameters = append(out.Parameters, s.show(p, "", in.WithDecryption))
	}
	return out, err
}

// describeParameters shows no values, so that more people can be allowed to call it.
func (s *Server) describeParameters(_ context.Context, in *describeParametersInput) (*describeParametersOutput, error) {
	found, next, err := page(s.Parameters(), in.MaxResults, 50, in.NextToken)
	out := &describeParametersOutput{Parameters: []describedParameter{}, NextToken: next}
	for _, p := range found {
		out.Parameters = append(out.Parameters, describedParameter{
			Name: p.Name, ARN: s.ARN(p.Name), Type: p.Type, KeyID: p.KeyID, LastModifiedDate: unix(p),
			Description: p.Description, Version: p.Version, Tier: "Standard", DataType: "text",
		})
	}
	return out, err
}

// page returns a page of parameters in order of name; the token is the last name of the previous page.
func page(all []Parameter, size *int, most int, token string) (part []Parameter, next string, err error) {
	limit := most
	if size != nil {
		limit = *size
	}
	if limit < 1 || limit > most {
		return nil, "", errValidation(fmt.Sprintf("MaxResults must be 1 to %d, not %d.", most, limit))
	}
	all = slices.DeleteFunc(all, func(p Parameter) bool { return p.Name <= token })
	if len(all) <= limit {
		return all, "", nil
	}
	return all[:limit], all[limit-1].Name, nil
}

func (s *Server) deleteParameter(_ context.Context, in *deleteParameterInput) (*empty, error) {
	return &empty{}, s.Delete(in.Name)
}
