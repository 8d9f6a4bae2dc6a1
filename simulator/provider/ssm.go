package provider

import (
	"heliograph/simulator/ssm"
)

type parameterInputs struct {
	tagged
	Name        string `json:"name"`
	Description string `json:"description"`
	Type        string `json:"type"`
	Value       string `json:"value"`
}

func createParameter(p *provider, _ declaration, in parameterInputs) (created, error) {
	version, err := p.Parameters.Put(ssm.Parameter{
		Name: in.Name, Type: ssm.Type(in.Type), Value: in.Value, Description: in.Description,
	}, false)
	if err != nil {
		return created{}, err
	}
	return created{in.Name, map[string]any{"arn": p.Parameters.ARN(in.Name), "version": float64(version)}}, nil
}
