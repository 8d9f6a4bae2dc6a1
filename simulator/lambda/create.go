package lambda

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/wire"
)

var functionName = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,64}$`)

// reservedVariables can't be set when a function is created.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
var reservedVariables = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
	"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

// Create adds a function. Errors are *wire.Error with Lambda's codes, such as ResourceConflictException for a name
// already in use and InvalidParameterValueException for a bad value.
func (p *Platform) Create(c Config) (Function, error) {
	f, err := p.make(c)
	if err != nil {
		return Function{}, err
	}
	return f.Function, p.add(f)
}

// Update gives a function new code and a new environment, as a deployment does: events under way end where they are, and
// later ones start new environments. Its permissions, its event settings and its reserved concurrency stay. Errors are
// those of Create, and ResourceNotFoundException.
func (p *Platform) Update(name FunctionName, archive string, environment map[string]string) error {
	old, err := p.find(string(name))
	if err != nil {
		return err
	}
	c := old.Config
	c.Archive, c.Environment = archive, environment
	f, err := p.make(c)
	if err != nil {
		return err
	}
	p.mu.Lock()
	f.events, f.policy, f.lastDuration = old.events, old.policy, old.lastDuration
	p.functions[name] = f
	idle := old.idle
	old.idle, old.retired = nil, true
	p.mu.Unlock()
	for _, e := range idle {
		e.child.kill()
	}
	return nil
}

// make checks a function's configuration and unpacks its archive.
func (p *Platform) make(c Config) (*function, error) {
	setDefault(&c.Timeout, 3*time.Second)
	setDefault(&c.MemorySize, 128)
	setDefault(&c.Handler, "bootstrap")
	setDefault(&c.LogGroup, "/aws/lambda/"+string(c.Name))
	if err := c.check(); err != nil {
		return nil, err
	}
	code, err := unpack(p.code, c.Archive)
	if err != nil {
		return nil, invalidParameter("the archive of %s: %v", c.Name, err)
	}
	f := &function{code: code.folder, Function: Function{
		Config: c, ARN: p.functionARN(c.Name), CodeSHA256: code.sha256, CodeSize: code.size,
	}}
	f.InvokeARN = fmt.Sprintf("arn:aws:apigateway:%s:lambda:path/2015-03-31/functions/%s/invocations", p.options.Region, f.ARN)
	return f, nil
}

// add registers a function and takes its reservation out of the account's concurrency.
func (p *Platform) add(f *function) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	if _, taken := p.functions[f.Name]; taken {
		return &wire.Error{
			Code: "ResourceConflictException", Status: http.StatusConflict,
			Message: "Function already exist: " + string(f.Name),
		}
	}
	if f.ReservedConcurrency != nil {
		// AWS keeps a hundred executions for the functions without a reservation.
		if p.options.Concurrency-p.reserved-*f.ReservedConcurrency < min(100, p.options.Concurrency) {
			return invalidParameter("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].")
		}
		p.reserved += *f.ReservedConcurrency
	}
	p.functions[f.Name] = f
	return nil
}

// check refuses values that Lambda would refuse.
func (c Config) check() error {
	switch {
	case !functionName.MatchString(string(c.Name)):
		return invalidParameter("the function name %q does not fit %s", c.Name, functionName)
	case c.Timeout < time.Second || c.Timeout > 900*time.Second || c.Timeout%time.Second != 0:
		return invalidParameter("the time-out of %s is %v; it must be whole seconds from 1 to 900", c.Name, c.Timeout)
	case c.MemorySize < 128 || c.MemorySize > 10240:
		return invalidParameter("the memory size of %s is %d MB; it must be from 128 to 10240", c.Name, c.MemorySize)
	case c.ReservedConcurrency != nil && *c.ReservedConcurrency < 0:
		return invalidParameter("the reserved concurrency of %s is negative", c.Name)
	}
	return c.checkEnvironment()
}

// maxEnvironment is AWS's limit on the total size of all variables.
const maxEnvironment = 4 << 10

var variableName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)

func (c Config) checkEnvironment() error {
	var reserved []string
	size := 0
	for name, value := range c.Environment {
		size += len(name) + len(value)
		switch {
		case slices.Contains(reservedVariables, name):
			reserved = append(reserved, name)
		case !variableName.MatchString(name):
			return invalidParameter("the environment variable %q of %s does not fit %s", name, c.Name, variableName)
		}
	}
	if len(reserved) > 0 {
		slices.Sort(reserved)
		return invalidParameter("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(reserved, ", "))
	}
	if size > maxEnvironment {
		return invalidParameter("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: %d bytes", size)
	}
	return nil
}

func invalidParameter(format string, args ...any) *wire.Error {
	return wire.Errorf("InvalidParameterValueException", format, args...)
}
