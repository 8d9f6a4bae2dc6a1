package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// issuer is GitHub's identity provider, and the prefix of the condition keys for its claims.
const issuer = "token.actions.githubusercontent.com"

// Refs that a run is for. The claim sub of a job with an environment does not say, and an environment without rules
// may be named by a job of any branch.
const (
	onMain        = "refs/heads/main"
	onPullRequest = "refs/pull/*/merge"
)

// subjects are both forms of the claim sub of jobs in an environment. A repository created, renamed or moved since July
// 2026 has the numbers of owner and repository in it, an older one may not. Source: GitHub's documentation of OpenID
// Connect, "Immutable subject claims".
func (s settings) subjects(environment string) []string {
	owner, name, _ := strings.Cut(s.repository, "/")
	return []string{
		fmt.Sprintf("repo:%s/%s:environment:%s", owner, name, environment),
		fmt.Sprintf("repo:%s@%d/%s@%d:environment:%s", owner, s.ownerID, name, s.repositoryID, environment),
	}
}

// trust lets jobs of this repository in one environment, for one kind of ref, assume a role. A fork is another
// repository, with names and numbers of its own; the number also keeps out whoever gets the name after us.
func (s settings) trust(provider, environment, ref string) string {
	return document([]statement{{
		Effect: "Allow", Action: []string{"sts:AssumeRoleWithWebIdentity"},
		Principal: map[string]string{"Federated": provider},
		Condition: conditions{
			"StringEquals": {
				issuer + ":aud":           {"sts.amazonaws.com"},
				issuer + ":sub":           s.subjects(environment),
				issuer + ":repository_id": {fmt.Sprint(s.repositoryID)},
			},
			"StringLike": {issuer + ":ref": {ref}},
		},
	}})
}

// statement is one of an IAM policy.
type statement struct {
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    []string
	Resource  []string   `json:",omitempty"`
	Condition conditions `json:",omitempty"`
}

// conditions are what a statement demands, by operator and key.
type conditions map[string]map[string][]string

// document is the JSON of a policy.
func document(statements []statement) string {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // texts can always be marshaled
	}
	return string(text)
}
