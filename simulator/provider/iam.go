package provider

import (
	"fmt"

	"heliograph/simulator/iam"
)

type roleInputs struct {
	tagged
	Name             string `json:"name"`
	Description      string `json:"description"`
	AssumeRolePolicy string `json:"assumeRolePolicy"`
}

func createRole(p *provider, _ declaration, in roleInputs) (created, error) {
	name := iam.RoleName(in.Name)
	if err := p.Roles.Create(name, in.AssumeRolePolicy); err != nil {
		return created{}, err
	}
	return created{in.Name, map[string]any{
		"arn": p.Roles.ARN(name), "uniqueId": iam.UniqueID(name), "path": "/", "maxSessionDuration": 3600.0,
	}}, nil
}

type rolePolicyInputs struct {
	Name   string `json:"name"`
	Role   string `json:"role"`
	Policy string `json:"policy"`
}

func createRolePolicy(p *provider, _ declaration, in rolePolicyInputs) (created, error) {
	err := p.Roles.Attach(iam.RoleName(in.Role), in.Policy)
	return created{in.Role + ":" + in.Name, nil}, err
}

type rolePolicyAttachmentInputs struct {
	Role      string `json:"role"`
	PolicyARN string `json:"policyArn"`
}

func createRolePolicyAttachment(p *provider, _ declaration, in rolePolicyAttachmentInputs) (created, error) {
	err := p.Roles.AttachManaged(iam.RoleName(in.Role), in.PolicyARN)
	return created{in.Role + "/" + in.PolicyARN, nil}, err
}

// roleExists returns an error if a role does not exist or the service can't assume it.
func roleExists(roles *iam.Roles, arn, service string) error {
	name := iam.NameOf(arn)
	if roles.ARN(name) != arn {
		return fmt.Errorf("role is %q, which is not the ARN of a role of this account", arn)
	}
	return roles.MayBeAssumedBy(name, service)
}
