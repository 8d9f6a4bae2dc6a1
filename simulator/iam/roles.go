package iam

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// RoleName is a role's name, unique in an account.
type RoleName string

// Roles are the roles of one account.
type Roles struct {
	account string
	seed    string // of the access keys

	mu     sync.Mutex
	byName map[RoleName]*role
	byKey  map[string]*role // by access key id
}

type role struct {
	name   RoleName
	trust  []statement
	grants []*grant
	// managed are the ARNs of AWS's own policies. Their permissions are not known here: no function has one.
	managed []string
}

// grant is one action on one resource of one statement of a role, and whether a call has needed it.
type grant struct {
	effect, action, resource string
	condition                conditions
	used                     bool
}

// New makes an account without roles.
func New(account string) *Roles {
	return &Roles{account: account, seed: rand.Text(), byName: map[RoleName]*role{}, byKey: map[string]*role{}}
}

// ARN is the ARN for a role name, whether or not the role exists.
func (r *Roles) ARN(name RoleName) string {
	return "arn:aws:iam::" + r.account + ":role/" + string(name)
}

// Create makes a role that may be assumed according to its trust policy. A name already in use and an unsupported
// policy are errors.
func (r *Roles) Create(name RoleName, trustPolicy string) error {
	trust, err := parse(trustPolicy)
	if err != nil {
		return fmt.Errorf("trust policy: %w", err)
	}
	for i, s := range trust {
		if s.Principal == nil || len(s.Resource) > 0 {
			return fmt.Errorf("trust policy: statement %d must have a Principal and no Resource", i+1)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName[name] != nil {
		return fmt.Errorf("a role %q exists", name)
	}
	made := &role{name: name, trust: trust}
	r.byName[name] = made
	r.byKey[r.AccessKey(name)] = made
	return nil
}

// Attach adds an inline policy to a role.
func (r *Roles) Attach(name RoleName, policy string) error {
	statements, err := parse(policy)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	role := r.byName[name]
	if role == nil {
		return fmt.Errorf("there is no role %q", name)
	}
	for i, s := range statements {
		if s.Principal != nil || len(s.Resource) == 0 {
			return fmt.Errorf("statement %d must have a Resource and no Principal", i+1)
		}
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				role.grants = append(role.grants, &grant{effect: s.Effect, action: action, resource: resource, condition: s.Condition})
			}
		}
	}
	return nil
}

// AttachManaged attaches one of AWS's own policies, such as arn:aws:iam::aws:policy/service-role/…, to a role.
func (r *Roles) AttachManaged(name RoleName, policyARN string) error {
	if !strings.HasPrefix(policyARN, "arn:aws:iam::aws:policy/") {
		return fmt.Errorf("policyArn is %q; only policies of AWS's own can be attached here, arn:aws:iam::aws:policy/…", policyARN)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	role := r.byName[name]
	if role == nil {
		return fmt.Errorf("there is no role %q", name)
	}
	role.managed = append(role.managed, policyARN)
	return nil
}

// Manages reports whether a role has one of AWS's own policies.
func (r *Roles) Manages(name RoleName, policyARN string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	role := r.byName[name]
	return role != nil && slices.Contains(role.managed, policyARN)
}

// AccessKey is the access key id of a role. AWS keeps issuing new ones; here one is enough. Since signatures are not
// verified, it is a secret, which nobody can guess from the name.
func (r *Roles) AccessKey(name RoleName) string {
	sum := sha256.Sum256([]byte(r.seed + "/" + string(name)))
	return "ASIA" + strings.ToUpper(hex.EncodeToString(sum[:16]))
}

// UniqueID is the id of a role, by which AWS tells it from a later one of the same name.
func UniqueID(name RoleName) string {
	sum := sha256.Sum256([]byte(name))
	return "AROA" + strings.ToUpper(hex.EncodeToString(sum[:8]))
}

// NameOf returns the name in a role's ARN.
func NameOf(arn string) RoleName {
	return RoleName(arn[strings.LastIndex(arn, "/")+1:])
}

// Owner returns the role that owns an access key, false for a person's.
func (r *Roles) Owner(accessKey string) (name RoleName, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	role := r.byKey[accessKey]
	if role == nil {
		return "", false
	}
	return role.name, true
}

// MayBeAssumedBy checks that a role's trust policy names a service, such as "lambda.amazonaws.com".
func (r *Roles) MayBeAssumedBy(name RoleName, service string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	role := r.byName[name]
	if role == nil {
		return fmt.Errorf("there is no role %q", name)
	}
	for _, s := range role.trust {
		if s.Effect == "Allow" && slices.Contains(s.Principal.Service, service) && slices.Contains(s.Action, "sts:AssumeRole") {
			return nil
		}
	}
	return fmt.Errorf("the trust policy of role %q does not let %s assume it", name, service)
}

// Denied reports a call that a role's policies do not allow.
type Denied struct {
	Role             RoleName
	Action, Resource string
	// Explicit is true if a statement denies it, false if none allows it.
	Explicit bool

	account string
}

// Error is AWS's sentence, for a role assumed by a function of the same name.
func (d *Denied) Error() string {
	reason := "no identity-based policy allows the " + d.Action + " action"
	if d.Explicit {
		reason = "an explicit deny in an identity-based policy"
	}
	return fmt.Sprintf("User: arn:aws:sts::%s:assumed-role/%s/%s is not authorized to perform: %s on resource: %s because %s",
		d.account, d.Role, d.Role, d.Action, d.Resource, reason)
}

// Check returns a *Denied unless the owner of an access key may do an action on all of the resources. values are those of
// the call by condition key. Keys that belong to no role are people's, and may do anything here.
func (r *Roles) Check(accessKey, action string, resources []string, values map[string][]string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	role := r.byKey[accessKey]
	if role == nil {
		return nil
	}
	for _, resource := range resources {
		if err := r.check(role, action, resource, values); err != nil {
			return err
		}
	}
	return nil
}

// CheckRole is Check for an action that AWS takes on a role's behalf, such as polling a queue for a function.
func (r *Roles) CheckRole(name RoleName, action, resource string) error {
	return r.Check(r.AccessKey(name), action, []string{resource}, nil)
}

func (r *Roles) check(role *role, action, resource string, values map[string][]string) error {
	denied := &Denied{Role: role.name, Action: action, Resource: resource, account: r.account}
	allowed := false
	for _, g := range role.grants {
		// Actions are compared without regard to case, resources with it.
		if !Match(strings.ToLower(g.action), strings.ToLower(action)) || !Match(g.resource, resource) || !g.condition.hold(values) {
			continue
		}
		g.used = true
		if g.effect == "Deny" {
			denied.Explicit = true
			return denied
		}
		allowed = true
	}
	if !allowed {
		return denied
	}
	return nil
}

// Permission is an action on a resource that a role's policies allow.
type Permission struct {
	Role             RoleName
	Action, Resource string
}

// Unused lists the permissions that were granted and have never been needed so far, by role and action.
func (r *Roles) Unused() (unused []Permission) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, role := range r.byName {
		for _, g := range role.grants {
			if !g.used && g.effect == "Allow" {
				unused = append(unused, Permission{role.name, g.action, g.resource})
			}
		}
	}
	slices.SortFunc(unused, func(a, b Permission) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Resource, b.Resource))
	})
	return unused
}
