package observability

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-xray-sdk-go/v2/daemoncfg"
	"github.com/aws/aws-xray-sdk-go/v2/instrumentation/awsv2"
	"github.com/aws/aws-xray-sdk-go/v2/strategy/ctxmissing"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/aws-xray-sdk-go/v2/xraylog"
)

// The SDK's default logger writes plain text to stdout, among the JSON lines. It is replaced for good,
// and here, since the SDK allows it in init only.
func init() { xray.SetLogger(xraylog.NullLogger) }

// xrayTracer is the tracer over AWS's SDK.
type xrayTracer struct{ config *xray.Config }

var _ tracer = xrayTracer{}

// newTracer makes a tracer that sends to the daemon that the environment names. A nil tracer is off.
func newTracer() (tracer, error) {
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
	emitter, err := xray.NewDefaultEmitter(daemon.UDPAddr)
	if err != nil {
		return nil, fmt.Errorf("making the X-Ray emitter: %w", err)
	}
	return xrayTracer{&xray.Config{
		Emitter:                emitter,
		ContextMissingStrategy: ctxmissing.NewDefaultIgnoreErrorStrategy(),
	}}, nil
}

func (t xrayTracer) beginRoot(ctx context.Context, name string) (context.Context, span) {
	return t.begin(context.WithValue(ctx, xray.RecorderContextKey{}, t.config), name)
}

func (xrayTracer) begin(ctx context.Context, name string) (context.Context, span) {
	ctx, seg := xray.BeginSubsegment(ctx, name)
	return ctx, xraySpan{seg}
}

func (xrayTracer) innermost(ctx context.Context) span { return xraySpan{xray.GetSegment(ctx)} }

// xraySpan is a subsegment; nil does nothing.
type xraySpan struct{ seg *xray.Segment }

var _ span = xraySpan{}

func (s xraySpan) annotate(key, value string) {
	if s.seg != nil {
		_ = s.seg.AddAnnotation(key, strings.ToValidUTF8(value, "\uFFFD")) // only fails on types other than string
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

func (s xraySpan) end(err error) { s.seg.Close(err) }

// instrument gives every call of the AWS clients made from cfg a subsegment, in invocations that are
// traced.
func instrument(cfg *aws.Config) { awsv2.AWSV2Instrumentor(&cfg.APIOptions) }
