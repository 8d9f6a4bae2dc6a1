// Command heliograph is Heliograph's command line. It runs the whole service on this machine, and talks to a
// running one, here or on AWS. `heliograph --help` lists its commands; each is in a file of its name.
//
// A command finds its stack by an endpoints file (--target, written by `heliograph local`) or by the outputs of a
// deployed Pulumi stack (--stack), and from there on treats both alike: target.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// world is what a command takes from its process: streams, clock, folder and build. It is filled here and nowhere else,
// so that a test can put its own in its place; the house test keeps os.Stdout and the like out of the other files.
type world struct {
	stdin     io.Reader
	stdout    io.Writer
	stderr    io.Writer
	now       func() time.Time
	directory func() (string, error)
	buildInfo func() (*debug.BuildInfo, bool)
}

// commands is the command line.
type commands struct {
	Target string `help:"Endpoints file of the stack to talk to." default:".heliograph/local.json" type:"path"`
	Stack  string `help:"Talk to this deployed Pulumi stack instead (its outputs are read by the pulumi command)." placeholder:"NAME"`

	Local   localCommand   `cmd:"" help:"Run the whole service on this machine."`
	Env     envCommand     `cmd:"" help:"Print the local stack's access key as shell commands, for the AWS command line."`
	Hello   helloCommand   `cmd:"" help:"Send one message through the stack and print each step."`
	Token   tokenCommand   `cmd:"" help:"Print a token that lets a user connect."`
	Connect connectCommand `cmd:"" help:"Connect as a user and print what arrives."`
	Send    sendCommand    `cmd:"" help:"Send a message to users, to a connection or to everybody online, through the queue."`
	DLQ     dlqCommand     `cmd:"" name:"dlq" help:"Inspect dead letters, and put them back or drop them."`
	Online  onlineCommand  `cmd:"" help:"List who is online."`
	Metrics metricsCommand `cmd:"" help:"List the metrics of the local stack with their last values."`
	Journey journeyCommand `cmd:"" help:"Show where a message went and what became of it."`
	Top     topCommand     `cmd:"" help:"Show the main figures of the local stack, refreshed continuously."`
	Alarms  alarmsCommand  `cmd:"" help:"List the alarms: state, since when, why, and the runbook."`
	Doctor  doctorCommand  `cmd:"" help:"Find out what is wrong with a stack, or with an account that shall have one."`
	Load    loadCommand    `cmd:"" help:"Put a load on a stack, and measure what is lost and how late messages are."`
	Cost    costCommand    `cmd:"" help:"Work out what a stack would cost, and what that load leaves of its limits."`
	Fault   faultCommand   `cmd:"" help:"Inject faults into the local stack."`
	Version versionCommand `cmd:"" help:"Print what this program was built from."`
}

func main() {
	ctx, stop := untilEnded()
	defer stop()
	w := world{
		stdin: os.Stdin, stdout: output(os.Stdout), stderr: output(os.Stderr),
		now: time.Now, directory: os.Getwd, buildInfo: debug.ReadBuildInfo,
	}
	os.Exit(run(ctx, w, os.Args[1:]))
}

// untilEnded returns a context that is done when the process is told to end: by Ctrl-C, by SIGTERM, or by SIGHUP when
// its terminal closes, unless it was started under nohup.
func untilEnded() (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signal.NotifyContext(context.Background(), signals...)
}

// run executes one command line and returns the exit code: 0 success, 1 failure, 2 usage error,
// or the command's own.
func run(ctx context.Context, w world, args []string) (code int) {
	var line commands
	exited := -1
	parser := kong.Must(&line,
		kong.Name("heliograph"),
		kong.Description("WebSocket push and presence in your own AWS account, and on your laptop."),
		kong.UsageOnError(),
		kong.Writers(w.stdout, w.stderr),
		kong.Exit(func(code int) { exited = code }), // kong's default would end the process, and a test with it
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(w),
	)
	command, err := parser.Parse(args)
	if exited >= 0 { // --help has been printed
		return exited
	}
	if err == nil {
		err = noneEmpty(command)
	}
	if err != nil {
		fmt.Fprintf(w.stderr, "heliograph: %s\nTry: heliograph --help\n", escaped(err.Error()))
		return 2
	}
	// Ctrl-C cancels ctx; a command that ends for that reason has succeeded.
	err = command.Run(&line)
	if code, is := errors.AsType[exitCode](err); is {
		return int(code)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(w.stderr, "heliograph: %s\n", escaped(err.Error()))
		return 1
	}
	return 0
}

// noneEmpty refuses arguments without a value, such as --reason="$REASON" if the variable is not set: without its filter, a
// command would reach more than was meant. A tag empty:"" permits it.
func noneEmpty(command *kong.Context) error {
	for _, given := range command.Path {
		var value *kong.Value
		switch {
		case given.Flag != nil:
			value = given.Flag.Value
		case given.Positional != nil:
			value = given.Positional
		default:
			continue
		}
		if !value.Tag.Has("empty") && isEmpty(command.Value(given)) {
			return fmt.Errorf("%s is empty: give it a value, or leave it out", value.ShortSummary())
		}
	}
	return nil
}

// isEmpty reports whether a given value is an empty text, a list of nothing, or one that holds an empty text.
func isEmpty(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.String:
		return value.Len() == 0
	case reflect.Slice, reflect.Map:
		for _, one := range value.Seq2() {
			if isEmpty(one) {
				return true
			}
		}
		return value.Len() == 0
	}
	return false
}
