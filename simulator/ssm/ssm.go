// Package ssm is AWS Systems Manager's Parameter Store in memory: parameters of type String and
// SecureString with their versions, over AWS's own protocol or by Go methods.
//
// A SecureString without decryption is an opaque text unrelated to its value; use of the key is not checked, as with
// the key aws/ssm, which everyone in an account may use. Anything unsupported is refused: StringList, other tiers,
// policies, filters, tags, labels.
package ssm

import (
	"crypto/rand"
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"heliograph/simulator/wire"
)

// Type is the type of a parameter's value.
type Type string

// The types.
const (
	String       Type = "String"
	SecureString Type = "SecureString"
)

// Parameter is one version of a parameter.
type Parameter struct {
	Name        string
	Type        Type
	Value       string
	Description string
	// KeyID is the key that encrypts a SecureString; empty means alias/aws/ssm.
	KeyID string
	// Version counts from 1, and Modified is when the version was created; Put sets both.
	Version  int
	Modified time.Time

	encrypted string // what a SecureString shows without decryption
}

// Options configure a Server.
type Options struct {
	// Region and Account are part of each parameter's ARN; both are required.
	Region, Account string
	// Now is the time source; nil: the system clock.
	Now func() time.Time
}

// Server holds the parameters of one account in one Region. It is safe for concurrent use.
type Server struct {
	options Options

	mu         sync.Mutex
	parameters map[string][]Parameter // by name, all versions kept, the newest last
}

// New makes a server without parameters.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{options: o, parameters: map[string][]Parameter{}}
}

// maxVersions is how many versions of a parameter are kept. Source: "Working with parameter versions".
const maxVersions = 100

// Put makes a parameter, or with overwrite a new version of it, and returns its version. Errors, of type *wire.Error:
// ValidationException, UnsupportedParameterType, ParameterAlreadyExists, HierarchyTypeMismatchException if the type
// would change.
func (s *Server) Put(p Parameter, overwrite bool) (int, error) {
	if err := checkName(p.Name); err != nil {
		return 0, err
	}
	if err := p.check(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := s.parameters[p.Name]
	switch {
	case len(versions) == 0 && p.Type == "":
		return 0, errValidation("A parameter type is required when you create a parameter.")
	case len(versions) > 0 && !overwrite:
		return 0, wire.Errorf("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case len(versions) > 0:
		last := versions[len(versions)-1]
		if p.Type != "" && p.Type != last.Type {
			return 0, wire.Errorf("HierarchyTypeMismatchException", "The type of %s can't be changed from %s to %s.", p.Name, last.Type, p.Type)
		}
		p.Type, p.Version = last.Type, last.Version
	}
	p.Version++
	p.Modified = s.options.Now()
	if p.Type == SecureString {
		p.encrypted = opaque(len(p.Value))
		if p.KeyID == "" {
			p.KeyID = "alias/aws/ssm"
		}
	} else if p.KeyID != "" {
		return 0, errValidation("KeyId is required for SecureString type parameters only.")
	}
	versions = append(versions, p)
	s.parameters[p.Name] = versions[max(0, len(versions)-maxVersions):]
	return p.Version, nil
}

// opaque resembles KMS's encryption of a value of the given length.
func opaque(length int) string {
	b := make([]byte, length+160)
	_, _ = rand.Read(b) // never fails
	copy(b, []byte{1, 2, 2, 0, 0x78})
	return base64.StdEncoding.EncodeToString(b)
}

// check checks everything about a parameter except its name. Source: API_PutParameter.
func (p Parameter) check() error {
	switch {
	case p.Type != "" && p.Type != String && p.Type != SecureString:
		return wire.Errorf("UnsupportedParameterType", "%q is not simulated; String and SecureString are.", p.Type)
	case p.Value == "" || !utf8.ValidString(p.Value):
		return errValidation("The value must be at least one character of UTF-8.")
	case len(p.Value) > 4096:
		return errValidation("Standard tier parameters support a maximum parameter value of 4096 characters.")
	case utf8.RuneCountInString(p.Description) > 1024:
		return errValidation("A description has at most 1024 characters.")
	}
	return nil
}

var (
	nameCharacters = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)
	reservedName   = regexp.MustCompile(`(?i)^/?(aws|ssm)`)
)

// checkName checks a name. Source: API_PutParameter, "Name".
func checkName(name string) error {
	switch {
	case !nameCharacters.MatchString(name) || len(name) > 1011:
		return errValidation("Parameter name: 1 to 1011 of a-z, A-Z, 0-9, and . - _ /, not " + strconv.Quote(name) + ".")
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return errValidation("Parameter name must be a fully qualified name: one with / must begin with /.")
	case strings.Contains(name, "//") || strings.HasSuffix(name, "/"):
		return errValidation("Parameter name must not have empty parts.")
	case reservedName.MatchString(name):
		return errValidation("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).")
	case strings.Count(name, "/") > 15:
		return wire.Errorf("HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of 15 levels.")
	}
	return nil
}

// Get returns the newest version of a parameter, or, for a name such as "/a/b:3", that version. An ARN works like a
// name. The value is decrypted. Errors: ParameterNotFound, ParameterVersionNotFound.
func (s *Server) Get(name string) (Parameter, error) {
	p, _, err := s.get(name)
	return p, err
}

// get also returns the selector: ":3" of the name "/a/b:3".
func (s *Server) get(name string) (Parameter, string, error) {
	name, version, selected := strings.Cut(s.nameOf(name), ":")
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := s.parameters[name]
	if len(versions) == 0 {
		return Parameter{}, "", errNotFound(name)
	}
	if !selected {
		return versions[len(versions)-1], "", nil
	}
	for _, p := range versions {
		if strconv.Itoa(p.Version) == version {
			return p, ":" + version, nil
		}
	}
	return Parameter{}, "", wire.Errorf("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the version and try again.", version, name)
}

// Delete deletes a parameter with all its versions; the error is ParameterNotFound.
func (s *Server) Delete(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parameters[name]) == 0 {
		return errNotFound(name)
	}
	delete(s.parameters, name)
	return nil
}

// Parameters returns the newest versions of all parameters, by name.
func (s *Server) Parameters() (all []Parameter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.parameters)) {
		versions := s.parameters[name]
		all = append(all, versions[len(versions)-1])
	}
	return all
}

// ARN is the ARN for the name of a parameter or path.
func (s *Server) ARN(name string) string {
	return s.arnPrefix() + "/" + strings.TrimPrefix(name, "/")
}

// arnPrefix is the prefix of all ARNs here; the name's slash follows.
func (s *Server) arnPrefix() string {
	return "arn:aws:ssm:" + s.options.Region + ":" + s.options.Account + ":parameter"
}

// nameOf converts an ARN to a name. A name without a slash has one in its ARN all the same, so an ARN may stand for two
// names, and the one that exists counts.
func (s *Server) nameOf(nameOrARN string) string {
	name, isARN := strings.CutPrefix(nameOrARN, s.arnPrefix())
	if !isARN {
		return nameOrARN
	}
	bare, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), ":")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parameters[bare]) > 0 {
		return strings.TrimPrefix(name, "/")
	}
	return name
}

// errValidation is AWS's error for most invalid requests.
func errValidation(message string) *wire.Error {
	return wire.Errorf("ValidationException", "%s", message)
}

// errNotFound names the parameter, which AWS does not: here, a wrong name is the usual cause.
func errNotFound(name string) *wire.Error {
	return wire.Errorf("ParameterNotFound", "Parameter %s not found.", name)
}
