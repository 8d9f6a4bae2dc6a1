package wire

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options configure how an Endpoint handles calls.
type Options struct {
	// Before runs before every call that names a known action, and may wait, to add latency. Its error becomes the
	// response: an *Error unchanged, any other as InternalFailure (500). With ErrAnswerLost the call is carried out all
	// the same. nil: no hook.
	Before func(ctx context.Context, call Call) error
	// After runs after every call for which Before ran, with the time it took from then on, and its error. nil: no
	// hook.
	After func(call Call, took time.Duration, err error)
	// MaxBody is the largest request body in bytes; 0 means 16 MB, DynamoDB's own limit.
	MaxBody int64
	// Elsewhere hints where to look instead of an unsupported service, given its signing name, or returns "". nil:
	// never a hint.
	Elsewhere func(service string) string
}

// ErrAnswerLost means that a call is carried out, and then its connection is cut instead of answered. The caller can't
// know whether it took effect.
var ErrAnswerLost = errors.New("the answer gets lost")

// Endpoint serves the APIs of all registered services, on any path. Services may be registered while it is in use.
type Endpoint struct {
	options Options

	mu       sync.RWMutex
	services map[string]Service // by signing name
}

var _ http.Handler = (*Endpoint)(nil)

// NewEndpoint makes an endpoint without services.
func NewEndpoint(options Options) *Endpoint {
	if options.MaxBody == 0 {
		options.MaxBody = 16 << 20
	}
	return &Endpoint{options: options, services: map[string]Service{}}
}

// Register adds a service, or replaces one of the same name.
func (e *Endpoint) Register(s Service) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.services[s.Name] = s
}

// ServeHTTP answers one API call.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{w: w, r: r, requestID: uuid.NewString(), protocol: protocolOf(r)}
	req, err := e.read(w, r, a)
	if err != nil {
		a.fail(err)
		return
	}
	out, err := e.carryOut(r.Context(), req)
	if err != nil {
		a.fail(err)
		return
	}
	a.succeed(req.call.Action, out)
}

// request is a call with its decoded input.
type request struct {
	call   Call
	action Action
	in     any
}

// carryOut runs the hooks around the action. A call whose response a hook suppresses is not measured.
func (e *Endpoint) carryOut(ctx context.Context, req request) (any, error) {
	began := time.Now()
	out, err := e.perform(ctx, req)
	if e.options.After != nil {
		e.options.After(req.call, time.Since(began), err)
	}
	return out, err
}

// perform runs the action, with the call in its context, unless the hook returns an error.
func (e *Endpoint) perform(ctx context.Context, req request) (any, error) {
	lost := false
	if e.options.Before != nil {
		err := e.options.Before(ctx, req.call)
		if lost = errors.Is(err, ErrAnswerLost); err != nil && !lost {
			return nil, err
		}
	}
	out, err := req.action.do(context.WithValue(ctx, callKey{}, req.call), req.in)
	if lost {
		panic(http.ErrAbortHandler) // net/http's way to cut a connection silently
	}
	return out, err
}

// read identifies the call, and sets the form of the response as soon as it is known.
func (e *Endpoint) read(w http.ResponseWriter, r *http.Request, a *answer) (request, error) {
	body, err := e.body(w, r)
	if err != nil {
		return request{}, bodyError(err)
	}
	signed, authErr := parseAuthorization(r.Header.Get("Authorization"))
	call := Call{AccessKey: signed.accessKey, Region: signed.region}
	var in decoder
	switch a.protocol {
	case jsonProtocol:
		call.Action, in, err = e.readJSON(r, signed.service, body, a)
	case cborProtocol:
		call.Action, in, err = e.readCBOR(r, signed.service, body, a)
	default:
		call.Action, in, err = e.readQuery(r, signed.service, body, a)
	}
	call.Service = a.service.Name
	switch {
	case authErr != nil: // reported first: without a signature, the service of a query request is not known
		return request{}, authErr
	case err != nil:
		return request{}, err
	case signed.service != a.service.Name:
		return request{}, &Error{
			Prefix: Coral, Code: "InvalidSignatureException", QueryCode: "SignatureDoesNotMatch", Status: http.StatusForbidden,
			Message: fmt.Sprintf("Credential should be scoped to correct service: '%s'.", a.service.Name),
		}
	}
	return decode(call, a, in)
}

// body reads a request's body. SDKs compress metrics.
func (e *Endpoint) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	from := http.MaxBytesReader(w, r.Body, e.options.MaxBody)
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(from)
	}
	plain, err := gzip.NewReader(from)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(http.MaxBytesReader(w, plain, e.options.MaxBody))
}

// decoder decodes the input of an action from a body already read.
type decoder func(Action, *Shape) (any, error)

// readJSON determines the service and action of a JSON request from its target, "AmazonSQS.SendMessage".
func (e *Endpoint) readJSON(r *http.Request, service string, body []byte, a *answer) (string, decoder, error) {
	target := r.Header.Get("X-Amz-Target")
	prefix, action, _ := strings.Cut(target, ".")
	s, known := e.find(func(s Service) bool { return s.TargetPrefix != "" && s.TargetPrefix == prefix })
	if a.service = s; !known {
		return "", nil, e.unknownService(r, a, service, fmt.Sprintf("the target %q", target))
	}
	if r.Method != http.MethodPost {
		return "", nil, coralf("UnknownOperationException", "%s takes POST only, not %s", s.Name, r.Method)
	}
	if want, got := s.contentType(), r.Header.Get("Content-Type"); got != want {
		return "", nil, coralf("SerializationException", "Content-Type is %q; %s speaks %s", got, s.Name, want)
	}
	return action, func(a Action, shape *Shape) (any, error) { return a.decodeJSON(body, shape) }, nil
}

// readQuery determines the service of a query request from its signature, since the form contains only the action.
// Older clients post to a queue's path, so the path is ignored.
func (e *Endpoint) readQuery(r *http.Request, service string, body []byte, a *answer) (string, decoder, error) {
	s, known := e.find(func(s Service) bool { return s.QueryNamespace != "" && s.Name == service })
	if a.service = s; !known {
		return "", nil, e.unknownService(r, a, service, fmt.Sprintf("a request without X-Amz-Target, signed for the service %q", service))
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); r.Method != http.MethodPost || kind != "application/x-www-form-urlencoded" {
		return "", nil, coralf("MalformedQueryString", "a query request must be a POST of application/x-www-form-urlencoded, not a %s of %q", r.Method, kind)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", nil, coralf("MalformedQueryString", "%v", err)
	}
	if v := form.Get("Version"); v != s.QueryVersion {
		return "", nil, coralf("NoSuchVersion", "the API version %q is not known for %s; it is %s", v, s.Name, s.QueryVersion)
	}
	action := form.Get("Action")
	form.Del("Action")
	form.Del("Version")
	return action, func(a Action, shape *Shape) (any, error) { return a.decodeQuery(form, shape) }, nil
}

// find returns the one service for which a test holds. There are a handful, so a scan is as good as an index.
func (e *Endpoint) find(is func(Service) bool) (Service, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, s := range e.services {
		if is(s) {
			return s, true
		}
	}
	return Service{}, false
}

// unknownService refuses a call of an unsupported service. service is the one for which it was signed, "" if unsigned.
func (e *Endpoint) unknownService(r *http.Request, a *answer, service, what string) error {
	if _, served := e.find(func(s Service) bool { return s.Name == service }); !served && service != "" {
		return e.foreign(r, a, service)
	}
	return coralf("UnknownOperationException", "%s belongs to no service that is simulated; these are: %s", what, strings.Join(e.names(), ", "))
}

// names are the signing names of the registered services.
func (e *Endpoint) names() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Sorted(maps.Keys(e.services))
}

// decode finds the action and decodes its input.
func decode(call Call, a *answer, in decoder) (request, error) {
	action, known := a.service.Actions[call.Action]
	if !known {
		return request{}, &Error{
			Prefix: Coral, Code: "UnknownOperationException", QueryCode: "InvalidAction",
			Message: fmt.Sprintf("the action %q of %s is not simulated; these are: %s", call.Action, call.Service,
				strings.Join(slices.Sorted(maps.Keys(a.service.Actions)), ", ")),
		}
	}
	input, err := in(action, a.service.Model.input(call.Action))
	if broken, ok := errors.AsType[violations](err); ok {
		return request{}, broken.answer(a.service.Name)
	}
	if real, ok := errors.AsType[unsupported](err); ok {
		return request{}, real.answer(a.service.Name)
	}
	if err != nil {
		return request{}, &Error{
			Prefix: Coral, Code: "SerializationException", QueryCode: "MalformedInput",
			Message: fmt.Sprintf("the input of %s does not fit: %v", call.Action, err),
		}
	}
	call.Permission = cmp.Or(a.service.Permissions, call.Service) + ":" + cmp.Or(action.permission, call.Action)
	call.Resources = action.resources(input)
	if action.values != nil {
		call.Values = action.values(input)
	}
	return request{call: call, action: action, in: input}, nil
}

// bodyError distinguishes a body that is too large from one that was cut off.
func bodyError(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &Error{
			Prefix: Coral, Code: "RequestEntityTooLarge", Status: http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("the request's body is larger than %d bytes", tooLarge.Limit),
		}
	}
	return coralf("IncompleteBody", "the request's body could not be read: %v", err)
}

func (s Service) contentType() string { return "application/x-amz-json-" + s.JSONVersion }

// answer writes the response to one call in the form of its service and protocol.
type answer struct {
	w         http.ResponseWriter
	r         *http.Request
	requestID string
	service   Service // zero until known
	protocol  protocol
}

// protocol is the protocol of a request and its response.
type protocol int

const (
	queryProtocol protocol = iota
	jsonProtocol
	cborProtocol
	// No registered service uses these.
	restJSONProtocol
	restXMLProtocol
	ec2Protocol
)

func protocolOf(r *http.Request) protocol {
	switch {
	case r.Header.Get("Smithy-Protocol") == rpcProtocol:
		return cborProtocol
	case r.Header.Get("X-Amz-Target") != "":
		return jsonProtocol
	default:
		return queryProtocol
	}
}

// succeed writes an action's output.
func (a *answer) succeed(action string, out any) {
	var body []byte
	var err error
	switch a.protocol {
	case jsonProtocol:
		body, err = encodeJSON(out)
	case cborProtocol:
		body, err = encodeCBOR(out)
	default:
		body, err = queryAnswer(a.service, action, a.requestID, out)
	}
	if err != nil {
		a.fail(fmt.Errorf("writing the answer of %s: %w", action, err))
		return
	}
	a.write(http.StatusOK, body)
}

// fail writes an error in the form that the client understands, as far as it is known by then.
func (a *answer) fail(err error) {
	e := AsError(err)
	body := queryError(a.service, a.requestID, e)
	switch prefix := cmp.Or(e.Prefix, a.service.ErrorPrefix); a.protocol {
	case restXMLProtocol, ec2Protocol:
		body = a.foreignError(e)
	case jsonProtocol, restJSONProtocol:
		if body, err = errorJSON(prefix, e); err != nil {
			e = AsError(fmt.Errorf("writing the error %s: %w", e.Code, err))
			body = []byte(`{"__type":"InternalFailure"}`)
		}
	case cborProtocol:
		body = errorCBOR(prefix, e)
	}
	// A service that moved away from the query protocol keeps the old codes in this header, for clients that request
	// them.
	if a.protocol != queryProtocol && a.service.QueryNamespace != "" && a.r.Header.Get("X-Amzn-Query-Mode") == "true" {
		a.w.Header().Set("X-Amzn-Query-Error", e.QueryName()+";"+e.fault())
	}
	if a.protocol == restJSONProtocol {
		a.w.Header().Set("X-Amzn-ErrorType", e.Code)
	}
	a.write(e.HTTPStatus(), body)
}

// write sends header and body. The Content-Type is the client's only indication of the response's protocol.
func (a *answer) write(status int, body []byte) {
	h := a.w.Header()
	h.Set("X-Amzn-RequestId", a.requestID)
	h.Set("Content-Type", "text/xml")
	switch a.protocol {
	case cborProtocol:
		h.Set("Content-Type", "application/cbor")
		h.Set("Smithy-Protocol", rpcProtocol)
	case restJSONProtocol:
		h.Set("Content-Type", "application/json")
	case jsonProtocol:
		h.Set("Content-Type", "application/x-amz-json-1.0")
		if a.service.JSONVersion != "" {
			h.Set("Content-Type", a.service.contentType())
		}
		// DynamoDB sends it, and the Go SDK warns about each DynamoDB response without it.
		h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	a.w.WriteHeader(status)
	_, _ = a.w.Write(body) // a client that is gone needs no response
}

// coralf makes an error of the endpoint itself, with a prefix that distinguishes it from a service's.
func coralf(code, format string, args ...any) *Error {
	e := Errorf(code, format, args...)
	e.Prefix = Coral
	return e
}
