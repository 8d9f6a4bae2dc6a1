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

// Options say how an Endpoint treats calls.
type Options struct {
	// Before is called with every call that names a known action, before it is carried out, and may
	// wait, to add latency. Its error is the answer: an *Error as it is, any other as InternalFailure
	// (500). ErrAnswerLost lets the call be carried out. nil: nothing is called.
	Before func(ctx context.Context, call Call) error
	// After is called with every call that Before was called with, how long it took from then on, and its error. nil:
	// nothing is called.
	After func(call Call, took time.Duration, err error)
	// MaxBody is the largest request body in bytes; 0 means 16 MB, DynamoDB's own limit.
	MaxBody int64
	// Elsewhere says where to look instead of a service that is not served, by its signing name, or "" if it can't say.
	// nil can't say of any.
	Elsewhere func(service string) string
}

// ErrAnswerLost says that a call is carried out, and then its connection breaks off instead of an answer. What
// happened, the caller can't know.
var ErrAnswerLost = errors.New("the answer gets lost")

// Endpoint serves the APIs of the services that are registered with it, on any path, and can be used
// while services are added.
type Endpoint struct {
	options Options

	mu       sync.RWMutex
	services map[string]Service // by signing name
}

var _ http.Handler = (*Endpoint)(nil)

// NewEndpoint makes an endpoint that knows no service yet.
func NewEndpoint(options Options) *Endpoint {
	if options.MaxBody == 0 {
		options.MaxBody = 16 << 20
	}
	return &Endpoint{options: options, services: map[string]Service{}}
}

// Register adds a service, or replaces the one of that name.
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

// carryOut asks the hook, then runs the action. A call whose answer a hook takes away is not measured.
func (e *Endpoint) carryOut(ctx context.Context, req request) (any, error) {
	began := time.Now()
	out, err := e.perform(ctx, req)
	if e.options.After != nil {
		e.options.After(req.call, time.Since(began), err)
	}
	return out, err
}

// perform runs the action, which finds the call in its context, unless the hook has an error.
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
		panic(http.ErrAbortHandler) // which is how net/http cuts a connection, in silence
	}
	return out, err
}

// read identifies the call, and sets the shape of the answer as soon as it is known.
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
	case authErr != nil: // said first: without a signature, the service of a query request is not known
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

// body is a request's body. SDKs compress metrics.
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

// decoder reads the input of an action from a body that is already at hand.
type decoder func(Action, *Shape) (any, error)

// readJSON finds service and action of a JSON request by its target, "AmazonSQS.SendMessage".
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

// readQuery finds the service of a query request by what it was signed for, since only its action is in
// the form. Older clients post to a queue's path, so the path says nothing.
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

// find gives the one service that a test holds for. There are a handful, so a walk is as good as an index.
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

// unknownService refuses a call of a service that is not served. service is the one it was signed for, "" if unsigned.
func (e *Endpoint) unknownService(r *http.Request, a *answer, service, what string) error {
	if _, served := e.find(func(s Service) bool { return s.Name == service }); !served && service != "" {
		return e.foreign(r, a, service)
	}
	return coralf("UnknownOperationException", "%s belongs to no service that is simulated; these are: %s", what, strings.Join(e.names(), ", "))
}

// names are the signing names of the services that are served.
func (e *Endpoint) names() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Sorted(maps.Keys(e.services))
}

// decode finds the action and reads its input.
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

// bodyError distinguishes a body that is too large from one that broke off.
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

// answer writes the answer of one call in the shape of its service and protocol.
type answer struct {
	w         http.ResponseWriter
	r         *http.Request
	requestID string
	service   Service // the zero Service while it is not known
	protocol  protocol
}

// protocol is how a request is written, and how its answer will be.
type protocol int

const (
	queryProtocol protocol = iota
	jsonProtocol
	cborProtocol
	// No served service speaks these.
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

// fail writes an error in the shape that the client understands, as far as that is known by then.
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
	// A service that moved away from the query protocol keeps the old codes in this header, for clients that ask
	// for them.
	if a.protocol != queryProtocol && a.service.QueryNamespace != "" && a.r.Header.Get("X-Amzn-Query-Mode") == "true" {
		a.w.Header().Set("X-Amzn-Query-Error", e.QueryName()+";"+e.fault())
	}
	if a.protocol == restJSONProtocol {
		a.w.Header().Set("X-Amzn-ErrorType", e.Code)
	}
	a.write(e.HTTPStatus(), body)
}

// write sends head and body. The Content-Type is the client's only hint at the protocol of an answer.
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
		// DynamoDB sends it, and the Go SDK warns about each of its answers that lacks it.
		h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	a.w.WriteHeader(status)
	_, _ = a.w.Write(body) // a client that is gone needs no answer
}

// coralf makes an error of the endpoint itself, with a prefix that tells it from a service's.
func coralf(code, format string, args ...any) *Error {
	e := Errorf(code, format, args...)
	e.Prefix = Coral
	return e
}
