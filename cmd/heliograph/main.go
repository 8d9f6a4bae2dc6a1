// Command heliograph is Heliograph's command line: it runs the whole service on this machine, and talks to
// a running one, here or on AWS. `heliograph --help` lists what it can do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// world is everything outside the process that a command touches; tests put their own in its place.
type world struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	now    func() time.Time
}

// commands is the command line.
type commands struct {
	Target string `help:"Endpoints file of the stack to talk to." default:".heliograph/local.json" type:"path"`
	Stack  string `help:"Talk to this deployed Pulumi stack instead (its outputs are read by the pulumi command)." placeholder:"NAME"`

	Local   localCommand   `cmd:"" help:"Run the whole service on this machine."`
	Token   tokenCommand   `cmd:"" help:"Print a token that lets a user connect."`
	Connect connectCommand `cmd:"" help:"Connect as a user and print what arrives."`
	Send    sendCommand    `cmd:"" help:"Send a message to users, a connection or everybody, through the queue."`
	DLQ     dlqCommand     `cmd:"" name:"dlq" help:"See what could not be delivered, and put it back or drop it."`
	Online  onlineCommand  `cmd:"" help:"Tell who is online."`
	Metrics metricsCommand `cmd:"" help:"List the metrics of the local stack with their last values."`
	Fault   faultCommand   `cmd:"" help:"Let things go wrong on purpose, in the local stack."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w := world{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now}
	os.Exit(run(ctx, w, os.Args[1:]))
}

// run carries out one command line and gives the exit code: 0 done, 1 failed, 2 not understood.
func run(ctx context.Context, w world, args []string) (code int) {
	var line commands
	exited := -1
	parser := kong.Must(&line,
		kong.Name("heliograph"),
		kong.Description("WebSocket push and presence in your own AWS account, and on your laptop."),
		kong.UsageOnError(),
		kong.Writers(w.stdout, w.stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(w),
	)
	command, err := parser.Parse(args)
	if exited >= 0 { // --help was asked for and has been printed
		return exited
	}
	if err != nil {
		fmt.Fprintf(w.stderr, "heliograph: %v\nTry: heliograph --help\n", err)
		return 2
	}
	if err := command.Run(&line); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(w.stderr, "heliograph: %v\n", err)
		return 1
	}
	return 0
}
