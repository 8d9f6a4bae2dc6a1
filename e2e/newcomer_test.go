//go:build !race

package e2e

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The race detector sees nothing of programs that are started by `go run`, so this file is left out under it.

var newcomer = flag.Bool("newcomer", false, "run the README's commands in a fresh clone; needs its ports")

// newcomerLimit bounds the whole tour. Compiling takes most of it.
const newcomerLimit = 5 * time.Minute

// expectation is what a command of the README does.
type expectation struct {
	command string   // how its line begins
	prints  string   // what it prints, in the end; of a command that keeps running: when the next may follow
	stays   bool     // it keeps running, in a terminal of its own
	needs   []string // programs that it needs besides Go; in CI, each is there
	not     string   // why it is not run here
}

// tour is what the README's commands do, in their order on the page, up to the chapter To AWS. A command of the README
// that is missing here fails the test.
var tour = []expectation{
	{command: "go run ./cmd/heliograph local --hello", prints: `"Hello, world" arrived`, stays: true},
	{command: "go run ./cmd/heliograph local", prints: "Ctrl-C stops it", stays: true},
	{command: "go run ./cmd/heliograph connect", prints: "connected to ws://", stays: true},
	{command: "TOKEN="},
	{command: "wscat ", not: "wscat comes from npm, and the command before it does the same"},
	{command: "go run ./cmd/heliograph send", prints: "queued as "},
	{command: "eval "},
	{command: "local_aws()"},
	{command: "QUEUE=", needs: []string{"aws"}},
	{command: "local_aws sqs send-message", prints: "MessageId", needs: []string{"aws"}},
	{command: "curl ", prints: `"UserId":"1234","IsOnline":true`, needs: []string{"curl"}},
	{command: "go run ./cmd/heliograph metrics", prints: "PostsDelivered"},
	{command: "go run ./cmd/heliograph dlq list", prints: "there is nothing to see"},
	{command: "go run ./cmd/heliograph doctor", prints: "0 problems"},
	{command: "go run ./cmd/heliograph load", not: "it takes half a minute; TestLoad runs it"},
}

// isShell matches lines of the README's indented blocks that are commands, as opposed to what a command prints.
var isShell = regexp.MustCompile(`^    ((?:go|curl|aws|wscat|eval|npm|make|git|pulumi|local_aws) .*|local_aws\(\).*|[A-Z_]+=.*)$`)

// readmeCommands are the commands of the README's chapters before To AWS.
func readmeCommands(t *testing.T, root string) (commands []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	here, _, found := strings.Cut(string(text), "\n## To AWS\n")
	if !found {
		t.Fatal("the README has no chapter To AWS")
	}
	for line := range strings.SplitSeq(here, "\n") {
		if command := isShell.FindStringSubmatch(line); command != nil {
			commands = append(commands, command[1])
		}
	}
	return commands
}

// shell is a terminal in a folder, in which commands run one after the other.
type shell struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// session starts commands in a process group of their own, which ends with the test as by Ctrl-C.
func session(t *testing.T, folder string, arguments ...string) (*exec.Cmd, func()) {
	t.Helper()
	c := exec.Command("bash", arguments...)
	c.Dir, c.SysProcAttr = folder, &syscall.SysProcAttr{Setpgid: true}
	return c, sync.OnceFunc(func() {
		if c.Process == nil {
			return
		}
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGINT)
		killer := time.AfterFunc(patience, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		_ = c.Wait()
		killer.Stop()
	})
}

func openShell(t *testing.T, folder string) *shell {
	t.Helper()
	c, _ := session(t, folder)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = c.Stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = c.Wait()
	})
	return &shell{t, in, bufio.NewReader(out)}
}

// run runs a command, and returns its output; a failure ends the test.
func (s *shell) run(command string) string {
	s.t.Helper()
	const mark = "=== ended with "
	fmt.Fprintf(s.in, "%s\necho; echo \"%s$?\"\n", command, mark)
	var printed strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if code, ended := strings.CutPrefix(line, mark); ended || err != nil {
			if strings.TrimSpace(code) != "0" {
				s.t.Fatalf("%s\nended with %s %v:\n%s", command, code, err, printed.String())
			}
			return printed.String()
		}
		printed.WriteString(line)
	}
}

// beside runs a command in a terminal of its own, and waits until it has printed a text. stop ends it.
func beside(t *testing.T, folder, command, until string) (printed *safeBuffer, stop func()) {
	t.Helper()
	printed = new(safeBuffer)
	c, stop := session(t, folder, "-c", command)
	c.Stdout, c.Stderr = printed, printed
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for end := time.Now().Add(newcomerLimit); !strings.Contains(printed.String(), until); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s\ndid not print %q:\n%s", command, until, printed.tail(4000))
		}
	}
	return printed, stop
}

// TestTour proves that the tour has each command of the README, in its order.
func TestTour(t *testing.T) {
	t.Parallel()
	commands := readmeCommands(t, projectRoot(t))
	for i, command := range commands {
		if i >= len(tour) || !strings.HasPrefix(command, tour[i].command) {
			t.Fatalf("command %d of the README is %q: say in tour what it does", i+1, command)
		}
	}
	if len(commands) != len(tour) {
		t.Errorf("the README has %d commands, the tour expects %d", len(commands), len(tour))
	}
}

// TestNewcomer proves that the README's commands work word by word, in its order, in a fresh clone of the last commit.
// Those of the chapter To AWS need an account.
func TestNewcomer(t *testing.T) {
	if !*newcomer {
		t.Skip("compiles everything once more: go test ./e2e -run TestNewcomer -newcomer -v")
	}
	needPorts(t, 4700, 4701, 4702)
	folder := filepath.Join(t.TempDir(), "heliograph")
	if out, err := exec.Command("git", "clone", "-q", projectRoot(t), folder).CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("needs git, and a clone to clone from: %v\n%s", err, out))
	}
	commands := readmeCommands(t, folder)
	if len(commands) != len(tour) {
		t.Fatal("the last commit's README is another one than the tour's: commit first")
	}
	first, stopHello := openShell(t, folder), func() {}
	var connected *safeBuffer
	for i, command := range commands {
		step, begun := tour[i], time.Now()
		switch {
		case step.not != "" || lacks(t, step.needs):
			continue
		case i == 0:
			_, stopHello = beside(t, folder, command, step.prints)
		case step.stays:
			stopHello() // by Ctrl-C, as the README says
			stopHello = func() {}
			connected, _ = beside(t, folder, command, step.prints)
		default:
			if printed := first.run(command); !strings.Contains(printed, step.prints) {
				t.Errorf("%s\nprinted\n%s\nwant %q", command, printed, step.prints)
			}
		}
		t.Logf("%v  %s", time.Since(begun).Round(time.Millisecond), command)
	}
	if !strings.Contains(connected.String(), "Hello, world\n") {
		t.Errorf("`heliograph connect` printed no message:\n%s", connected)
	}
}

// needPorts ends a test if one of the ports that the README names is in use.
func needPorts(t *testing.T, ports ...int) {
	t.Helper()
	for _, port := range ports {
		free, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			missing(t, fmt.Sprintf("the README's ports are in use, perhaps by `heliograph local`: %v", err))
		}
		free.Close()
	}
}

// lacks reports whether a program is not installed. In CI, each is.
func lacks(t *testing.T, programs []string) bool {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("needs %s", program)
			}
			t.Logf("left out a command for want of %s", program)
			return true
		}
	}
	return false
}
