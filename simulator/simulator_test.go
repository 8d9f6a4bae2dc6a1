package simulator

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph/infra/build"
)

// newTestCloud makes a cloud on free ports, and closes it when the test ends.
func newTestCloud(t *testing.T) *cloud {
	t.Helper()
	c, err := newCloud(Options{EndpointsFile: filepath.Join(t.TempDir(), "local.json"), Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestProgramsThatAreWrong proves that each mistake in a program is one error that names the resource and what is
// wrong with it, where Pulumi's mock engine alone would let it pass or not say whose it is.
func TestProgramsThatAreWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		program func(ctx *pulumi.Context) error
		want    []string
	}{
		{"unknown type", func(ctx *pulumi.Context) error {
			_, err := kms.NewKey(ctx, "key", nil)
			return err
		}, []string{`aws:kms/key:Key "key"`, "does not know this type"}},
		{"unknown property", func(ctx *pulumi.Context) error {
			_, err := sqs.NewQueue(ctx, "q", &sqs.QueueArgs{Name: pulumi.String("q"), FifoQueue: pulumi.Bool(true)})
			return err
		}, []string{`"q"`, "does not honour fifoQueue"}},
		{"unknown property within one", func(ctx *pulumi.Context) error {
			_, err := lambda.NewFunction(ctx, "f", &lambda.FunctionArgs{
				Role: pulumi.String("r"), VpcConfig: lambda.FunctionVpcConfigArgs{SubnetIds: pulumi.StringArray{}, SecurityGroupIds: pulumi.StringArray{}},
				LoggingConfig: lambda.FunctionLoggingConfigArgs{LogFormat: pulumi.String("JSON")},
			})
			return err
		}, []string{`"f"`, "does not honour loggingConfig, vpcConfig"}},
		{"bad enum value", func(ctx *pulumi.Context) error {
			_, err := ssm.NewParameter(ctx, "p", &ssm.ParameterArgs{Name: pulumi.String("/p"), Type: pulumi.String("Secret"), Value: pulumi.String("x")})
			return err
		}, []string{`"p"`, "Secret"}},
		{"bad number", func(ctx *pulumi.Context) error {
			_, err := cloudwatch.NewLogGroup(ctx, "g", &cloudwatch.LogGroupArgs{Name: pulumi.String("g"), RetentionInDays: pulumi.Int(4)})
			return err
		}, []string{`"g"`, "retentionInDays is 4"}},
		{"policy that is not understood", func(ctx *pulumi.Context) error {
			_, err := iam.NewRole(ctx, "r", &iam.RoleArgs{Name: pulumi.String("r"), AssumeRolePolicy: pulumi.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}`)})
			return err
		}, []string{`aws:iam/role:Role "r"`, "Maybe"}},
		{"same name twice", func(ctx *pulumi.Context) error {
			_, first := sqs.NewQueue(ctx, "q", &sqs.QueueArgs{Name: pulumi.String("one")})
			_, second := sqs.NewQueue(ctx, "q", &sqs.QueueArgs{Name: pulumi.String("two")})
			return errors.Join(first, second)
		}, []string{`"q"`, "declared twice"}},
		{"same physical name twice", func(ctx *pulumi.Context) error {
			_, first := sqs.NewQueue(ctx, "a", &sqs.QueueArgs{Name: pulumi.String("same")})
			_, second := sqs.NewQueue(ctx, "b", &sqs.QueueArgs{Name: pulumi.String("same")})
			return errors.Join(first, second)
		}, []string{"a queue of that name exists"}},
		{"unknown invoke", func(ctx *pulumi.Context) error {
			_, err := aws.GetAvailabilityZones(ctx, nil)
			return err
		}, []string{"getAvailabilityZones"}},
		{"error of the program itself", func(*pulumi.Context) error { return errors.New("no such thing") }, []string{"no such thing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := runProgram(newTestCloud(t), func(ctx *pulumi.Context, done func(map[string]string)) error {
				defer done(nil)
				return c.program(ctx)
			})
			if err == nil {
				t.Fatal("nobody noticed")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
			if strings.Count(err.Error(), "\n") > 1 || strings.Contains(err.Error(), "goroutine") {
				t.Errorf("the error is no clear message:\n%v", err)
			}
		})
	}
}

// TestResourcesAreLive proves that what the program declares can be used, under the address that the program was
// given.
func TestResourcesAreLive(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	outputs, err := runProgram(c, func(ctx *pulumi.Context, done func(map[string]string)) error {
		queue, err := sqs.NewQueue(ctx, "q", &sqs.QueueArgs{Name: pulumi.String("q"), VisibilityTimeoutSeconds: pulumi.Int(7)})
		if err != nil {
			return err
		}
		pulumi.StringMap{"url": queue.Url, "arn": queue.Arn}.ToStringMapOutput().ApplyT(func(values map[string]string) bool {
			done(values)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	queue, err := c.queues.QueueByARN(outputs["arn"])
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"url": queue.URL(), "visibility": queue.Attributes()["VisibilityTimeout"]}
	if diff := cmp.Diff(map[string]string{"url": outputs["url"], "visibility": "7"}, got); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(outputs["url"], c.address()) {
		t.Errorf("the queue's URL %s is not at %s", outputs["url"], c.address())
	}
}

// TestNothingIsLeft proves that a stack that was used and stopped leaves no goroutine behind. It runs alone, so that all
// goroutines of the simulator are its own.
func TestNothingIsLeft(t *testing.T) {
	root, err := build.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	before := ownGoroutines()
	s, err := Start(t.Context(), Options{Root: root, EndpointsFile: filepath.Join(t.TempDir(), "local.json"), Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	socket, _, err := websocket.Dial(t.Context(), s.Endpoints().WebSocketURL+"?Authorization=nonsense", nil)
	if err == nil {
		socket.CloseNow()
		t.Error("a connection was opened with a bad token")
	}
	if during := ownGoroutines(); during <= before {
		t.Errorf("%d goroutines run, %d did before: the test counts the wrong ones", during, before)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ownGoroutines() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines are left:\n%s", ownGoroutines()-before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// ownGoroutines counts the goroutines that the simulator has started.
func ownGoroutines() int {
	stacks := make([]byte, 16<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return strings.Count(string(stacks), "created by heliograph/simulator")
}

// TestEndpointsFile proves that what is written can be read, and that a file that lacks an address is an error that
// names it.
func TestEndpointsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "folder", "local.json")
	want := Endpoints{WebSocketURL: "ws://x/local", HTTPURL: "http://x", SendQueueURL: "http://x/q", Region: "us-east-1", ParameterPrefix: "/p", PID: 1}
	if err := want.write(file); err != nil {
		t.Fatal(err)
	}
	got, err := ReadEndpoints(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	want.HTTPURL = ""
	if err := want.write(file); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadEndpoints(file); err == nil || !strings.Contains(err.Error(), "httpUrl is missing") {
		t.Errorf("got %v", err)
	}
}

// TestReadable proves that a person can read what functions log, and that other lines stay as they are.
func TestReadable(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"START RequestId: 1": "START RequestId: 1",
		`{"timestamp":"t","level":"WARN","message":"slow","stage":"local","connectionId":"c=","n":2}`: "WARN  slow connectionId=c= n=2",
		`{"_aws":{"Timestamp":1},"Stage":"local","PostsDelivered":2}`:                                 "METRICS PostsDelivered=2 Stage=local",
		`{"no":"level"}`: `{"no":"level"}`,
	} {
		if got := readable(line); got != want {
			t.Errorf("readable(%s) = %q, want %q", line, got, want)
		}
	}
}
