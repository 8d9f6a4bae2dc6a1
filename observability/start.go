package observability

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go/logging"
)

// gcPercent lets the heap grow to five times what is live before it is collected; Go's own 100 is twice. What is live are a
// few MB of the 256 MB and more that a function has, and a function under load spent a tenth of its time collecting.
const gcPercent = 400

// Start is a handler's main. It reads the environment into Env, loads the AWS configuration with
// tracing, calls build once, and serves invocations with the handler that build returned. It does not
// return: what goes wrong before the first invocation is one JSON line and exit code 1.
func Start[Env Environment, In, Out any](
	function string, build func(ctx context.Context, cfg aws.Config, env Env) (Handler[In, Out], error),
) {
	debug.SetGCPercent(gcPercent)
	shareProcessor()
	h, err := prepare(function, os.Stdout, build)
	if err != nil {
		refuse(function, err)
		os.Exit(1)
	}
	lambda.Start(h)
}

// wholeProcessor is the memory, in MB, with which Lambda gives a function the time of one processor
// (docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
const wholeProcessor = 1769

// shareProcessor runs the goroutines of a function that has the time of one processor, or less, on one, although it sees
// two: there they wake each other without a system call.
func shareProcessor() {
	if mb, err := strconv.Atoi(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")); err == nil && mb <= wholeProcessor {
		runtime.GOMAXPROCS(1)
	}
}

// refuse writes the one line of a function that can't start.
func refuse(function string, err error) {
	f := &Function{name: function, out: &lines{w: os.Stdout}}
	attrs := []any{"error", err}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, "stack", p.frames())
	}
	slog.New(&logHandler{f: f}).Error("the function can't start", attrs...)
}

// prepare does everything up to the first invocation.
func prepare[Env Environment, In, Out any](
	function string, stdout io.Writer, build func(context.Context, aws.Config, Env) (Handler[In, Out], error),
) (lambda.Handler, error) {
	e, err := parseEnvironment[Env](nil)
	if err != nil {
		return nil, fmt.Errorf("reading the environment: %w", err)
	}
	f := New(function, e.settings(), stdout)
	f.takeOver()
	ctx := context.Background()
	cfg, err := f.awsConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	h, err := Safely(func() (Handler[In, Out], error) { return build(ctx, cfg, e) })
	if err != nil {
		return nil, fmt.Errorf("building the handler: %w", err)
	}
	return bytesHandler(Wrap(f, decoded(h))), nil
}

// postsAtOnce is how many idle connections are kept to one host. The SDK's default of 10 would make
// most posts of a fan-out, which all go to the one address of the WebSocket API, open a connection.
const postsAtOnce = 100

// awsConfig takes everything from the environment, as Lambda provides it: a look for configuration
// files or for an instance's metadata could only cost time, or find what was not meant for it.
func (f *Function) awsConfig(ctx context.Context) (aws.Config, error) {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = postsAtOnce
	})
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithSharedConfigFiles([]string{}),
		config.WithSharedCredentialsFiles([]string{}),
		config.WithEC2IMDSClientEnableState(imds.ClientDisabled),
		config.WithHTTPClient(client),
		config.WithLogger(logging.LoggerFunc(func(kind logging.Classification, format string, v ...any) {
			f.log.Warn("AWS SDK: "+fmt.Sprintf(format, v...), "kind", string(kind))
		})))
	if err != nil {
		return cfg, err
	}
	instrument(&cfg)
	return cfg, nil
}

// takeOver makes what libraries print on their own JSON lines, too. One process is one function, so
// that it may do so.
func (f *Function) takeOver() {
	sdkLog.Store(f.log)
	slog.SetDefault(f.log) // before log.SetOutput: it takes the plain logger's output, too
	log.SetFlags(0)
	log.SetOutput(plainLog{f})
}

// bytesHandler is a handler as aws-lambda-go calls it.
type bytesHandler Handler[[]byte, []byte]

var _ lambda.Handler = bytesHandler(nil)

func (h bytesHandler) Invoke(ctx context.Context, event []byte) ([]byte, error) { return h(ctx, event) }

// decoded reads the event and writes the answer as JSON. It is what Wrap wraps, so that an event that
// does not fit is logged and counted as every other failure.
func decoded[In, Out any](h Handler[In, Out]) Handler[[]byte, []byte] {
	return func(ctx context.Context, event []byte) ([]byte, error) {
		var in In
		if err := json.Unmarshal(event, &in); err != nil {
			return nil, fmt.Errorf("decoding the event: %w", err)
		}
		out, err := h(ctx, in)
		if err != nil {
			return nil, err
		}
		var answer bytes.Buffer
		encoder := json.NewEncoder(&answer)
		encoder.SetEscapeHTML(false) // an answer's body is text that the client reads as it is
		if err := encoder.Encode(out); err != nil {
			return nil, fmt.Errorf("encoding the answer: %w", err)
		}
		return bytes.TrimSuffix(answer.Bytes(), []byte("\n")), nil
	}
}
