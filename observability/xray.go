package observability

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"unicode"

	"github.com/aws/aws-xray-sdk-go/v2/daemoncfg"
	"github.com/aws/aws-xray-sdk-go/v2/strategy/ctxmissing"
	"github.com/aws/aws-xray-sdk-go/v2/strategy/exception"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/aws-xray-sdk-go/v2/xraylog"
)

// A datagram of more than 64 KB is lost, and a subsegment is sent with all that is below it. These
// bounds keep a document with an error in every subsegment under that.
const (
	maxSubsegments = 10   // below one subsegment, before they are sent on their own
	errorFrames    = 12   // of an error's stack
	maxAnnotation  = 1000 // characters, X-Ray's own limit
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

// xrayTracer is the tracer over AWS's SDK.
type xrayTracer struct{ config *xray.Config }

var _ tracer = (*xrayTracer)(nil)

// newTracer makes a tracer that sends to the daemon that the environment names. It is nil where the
// environment turns the SDK off.
//
// The configuration travels in the context. The SDK's own is global, and has no context-missing
// strategy at all if the environment has a spelling error in AWS_XRAY_CONTEXT_MISSING.
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
	return tracerTo(daemon.UDPAddr)
}

// tracerTo makes a tracer that sends to this daemon. It connects when the first trace is sent.
func tracerTo(daemon *net.UDPAddr) (*xrayTracer, error) {
	emitter, err := xray.NewDefaultEmitter(daemon)
	if err != nil {
		return nil, fmt.Errorf("making the X-Ray emitter: %w", err)
	}
	return &xrayTracer{&xray.Config{
		Emitter:                     emitter,
		StreamingStrategy:           &xray.DefaultStreamingStrategy{MaxSubsegmentCount: maxSubsegments},
		ExceptionFormattingStrategy: &exception.DefaultFormattingStrategy{FrameCount: errorFrames},
		ContextMissingStrategy:      ctxmissing.NewDefaultIgnoreErrorStrategy(),
	}}, nil
}

func (t *xrayTracer) beginRoot(ctx context.Context, name string) (context.Context, span) {
	return t.begin(context.WithValue(ctx, xray.RecorderContextKey{}, t.config), name)
}

func (*xrayTracer) begin(ctx context.Context, name string) (inner context.Context, s span) {
	inner, s = ctx, xraySpan{}
	defer survive("begin")
	inner, seg := xray.BeginSubsegment(ctx, name)
	return inner, xraySpan{seg}
}

func (*xrayTracer) innermost(ctx context.Context) span { return xraySpan{xray.GetSegment(ctx)} }

// xraySpan is a subsegment. Without one it does nothing.
type xraySpan struct{ seg *xray.Segment }

var _ span = xraySpan{}

func (s xraySpan) annotate(key, value string) {
	defer survive("annotate")
	if s.seg != nil {
		_ = s.seg.AddAnnotation(annotationKey(key), annotationValue(value)) // a string never fails
	}
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

func (s xraySpan) end(err error) {
	defer survive("end")
	if p, ok := errors.AsType[*panicError](err); ok {
		err = &exception.XRayError{Type: "panic", Message: p.Error(), Stack: p.stack}
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
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '_'
	}, key)
}

func annotationValue(value string) string {
	value = strings.ToValidUTF8(value, "\uFFFD")
	if runes := []rune(value); len(runes) > maxAnnotation {
		return string(runes[:maxAnnotation])
	}
	return value
}
