package observability

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"

	"github.com/aws/aws-xray-sdk-go/v2/daemoncfg"
	"github.com/aws/aws-xray-sdk-go/v2/strategy/ctxmissing"
	"github.com/aws/aws-xray-sdk-go/v2/strategy/exception"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/aws-xray-sdk-go/v2/xraylog"
)

const (
	errorFrames    = 12   // of an error's stack
	maxAnnotation  = 1000 // characters, X-Ray's own limit
	maxAnnotations = 50   // X-Ray's own limit for a trace
	typePanic      = "panic"
)

// sdkLog is where the SDK's complaints go. They are the process's, not an invocation's.
var sdkLog atomic.Pointer[slog.Logger]

// sdkLogger replaces the SDK's default logger, which writes plain text to stdout, among the JSON
// lines. Below warnings it tells about every subsegment, with its content: too much for any level.
type sdkLogger struct{}

var _ xraylog.Logger = sdkLogger{}

func (sdkLogger) Log(level xraylog.LogLevel, message fmt.Stringer) {
	if log := sdkLog.Load(); log != nil && level >= xraylog.LogLevelWarn {
		log.Warn("X-Ray SDK: " + message.String())
	}
}

// The SDK allows its logger to be set in init only.
func init() { xray.SetLogger(sdkLogger{}) }

// xrayTracer is the tracer over AWS's SDK. The SDK makes the segments, and hands them on; what is sent of them, and how,
// is ours (xray_document.go), because the SDK loses every document over 64 KB.
type xrayTracer struct {
	write func(document []byte) // sends one datagram; nil in no tracer
}

var _ tracer = (*xrayTracer)(nil)

// newTracer makes a tracer that sends to the daemon that the environment names. It is nil where the
// environment turns the SDK off.
func newTracer() (*xrayTracer, error) {
	if xray.SdkDisabled() {
		return nil, nil
	}
	daemon, err := daemoncfg.GetDaemonEndpointsFromEnv()
	if err != nil {
		return nil, fmt.Errorf("reading AWS_XRAY_DAEMON_ADDRESS: %w", err)
	}
	if daemon == nil {
		daemon = daemoncfg.GetDefaultDaemonEndpoints()
	}
	return tracerTo(daemon.UDPAddr), nil
}

// tracerTo makes a tracer that sends to this daemon. It connects when the first trace is sent.
func tracerTo(daemon *net.UDPAddr) *xrayTracer {
	connect := sync.OnceValues(func() (*net.UDPConn, error) { return net.DialUDP("udp", nil, daemon) })
	return &xrayTracer{func(document []byte) {
		conn, err := connect()
		if err == nil {
			_, err = conn.Write(append([]byte(xray.Header), document...))
		}
		if err != nil && !errors.Is(err, net.ErrClosed) {
			sdkLogger{}.Log(xraylog.LogLevelWarn, message(err.Error()))
		}
	}}
}

func (t *xrayTracer) begin(ctx context.Context, name string) (context.Context, trace) {
	x := &xrayTrace{write: t.write, causes: map[any]string{}}
	// The configuration travels in the context. The SDK's own is global, and has no context-missing strategy at all if
	// the environment has a spelling error in AWS_XRAY_CONTEXT_MISSING.
	ctx = context.WithValue(ctx, xray.RecorderContextKey{}, &xray.Config{
		Emitter:                     x,
		ExceptionFormattingStrategy: exceptions{&exception.DefaultFormattingStrategy{FrameCount: errorFrames}, x},
		ContextMissingStrategy:      ctxmissing.NewDefaultIgnoreErrorStrategy(),
	})
	ctx, root := x.open(ctx, name)
	x.xraySpan = root
	return ctx, x
}

// xrayTrace is all subsegments of one invocation. Being the SDK's emitter, it keeps them and sends them when it is told
// to: the SDK's own one would send what it can't split, and nothing of what is not closed.
type xrayTrace struct {
	xraySpan // the root
	write    func([]byte)

	mu     sync.Mutex
	nodes  []node
	causes map[any]string // ids of the exceptions that were noted, by what identifies their errors
}

var (
	_ trace        = (*xrayTrace)(nil)
	_ xray.Emitter = (*xrayTrace)(nil)
)

// Emit is called by the SDK while it holds the segment's lock. See send.
func (*xrayTrace) Emit(*xray.Segment) {}

// RefreshEmitterWithAddress is for daemons that move, which Lambda's does not.
func (*xrayTrace) RefreshEmitterWithAddress(*net.UDPAddr) {}

func (x *xrayTrace) below(ctx context.Context, name string) (context.Context, span) {
	return x.open(ctx, name)
}

func (x *xrayTrace) open(ctx context.Context, name string) (inner context.Context, s xraySpan) {
	inner = ctx
	defer survive("begin")
	above := xray.GetSegment(ctx)
	inner, seg := xray.BeginSubsegment(ctx, name)
	x.keep(seg, above)
	return inner, xraySpan{seg}
}

// keep notes a subsegment with the one that it is below, which the SDK does not tell.
func (x *xrayTrace) keep(seg, above *xray.Segment) {
	if seg == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.nodes = append(x.nodes, node{seg, above})
}

func (*xrayTrace) innermost(ctx context.Context) span { return xraySpan{xray.GetSegment(ctx)} }

// xraySpan is a subsegment. Without one it does nothing.
type xraySpan struct{ seg *xray.Segment }

var _ span = xraySpan{}

func (s xraySpan) annotate(key string, value any) {
	defer survive("annotate")
	if s.seg == nil {
		return
	}
	s.seg.Lock()
	defer s.seg.Unlock()
	key = annotationKey(key)
	if _, again := s.seg.Annotations[key]; !again && len(s.seg.Annotations) >= maxAnnotations {
		return
	}
	if s.seg.Annotations == nil {
		s.seg.Annotations = map[string]any{}
	}
	s.seg.Annotations[key] = value
}

func (s xraySpan) annotated(key string) bool {
	if s.seg == nil {
		return false
	}
	s.seg.RLock()
	defer s.seg.RUnlock()
	_, ok := s.seg.Annotations[key]
	return ok
}

func (s xraySpan) describe(key string, value []byte) {
	defer survive("describe")
	if s.seg != nil {
		_ = s.seg.AddMetadata(key, rawJSON(value)) // never fails
	}
}

func (s xraySpan) end(err error) {
	defer survive("end")
	if p, ok := errors.AsType[*panicError](err); ok {
		err = &exception.XRayError{Type: typePanic, Message: p.Error(), Stack: p.stack}
	}
	s.seg.Close(err)
}

// survive is deferred around the SDK: should it panic, the trace is lost and not the invocation.
func survive(doing string) {
	if p := recover(); p != nil {
		sdkLogger{}.Log(xraylog.LogLevelError, message(fmt.Sprintf("panic on %s of a subsegment: %v", doing, p)))
	}
}

type message string

func (m message) String() string { return string(m) }

// annotationKey keeps what X-Ray's filter expressions can find: letters, digits and underscores.
func annotationKey(key string) string {
	key = key[:min(len(key), 100)]
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '_'
	}, key)
}
