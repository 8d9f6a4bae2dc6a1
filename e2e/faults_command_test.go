package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"heliograph/simulator/fault"
)

// TestFaultCommands proves the commands that docs/faults.md shows, and that an error names what is allowed.
func TestFaultCommands(t *testing.T) {
	if own == nil {
		t.Skip("only the simulator can be broken on purpose")
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "local.json")
	start(t, "--target", file, "local", "--port", "0", "--latency", "aws").waitFor(t, "Ctrl-C stops it")
	id := func(n int) string { return fmt.Sprint("fault-", len(fault.Typical())+n) }
	for _, step := range []struct{ arguments, want string }{
		{"fault list", "dynamodb GetItem: +p50=3ms,p99=12ms"},
		{"fault clear", ""},
		{"fault add sns --down --count 2", id(1) + ": sns: down, 2 times"},
		{"fault add dynamodb -a PutItem -e ThrottlingException --rate 0.3 --caller *-connect", id(2) + ": dynamodb PutItem by *-connect: ThrottlingException, 30% of the time"},
		{"fault add sqs --latency p50=20ms,p99=300ms --seed 7", id(3) + ": sqs: +p50=20ms,p99=300ms"},
		{"fault add lambda -r *-send --kill --latency 1s", id(4) + ": lambda on *-send: killed after 1s"},
		{"fault add delivery --duplicate --latency 1s", id(5) + ": delivery: delivered once more after 1s"},
		{"fault add disconnect --lost --rate 0.5", id(6) + ": disconnect: lost, 50% of the time"},
		{"fault list", id(1) + "  0     sns: down, 2 times"},
		{"fault clear " + id(1), ""},
		{"fault list --json", `[{"id":"` + id(2) + `","service":"dynamodb","action":"PutItem","caller":"*-connect","error":"ThrottlingException","rate":0.3,"hits":0},`},
		{"fault clear", ""},
		{"fault list --json", "[]\n"},
	} {
		if got := runCommand(t, file, strings.Fields(step.arguments)...); !strings.Contains(got, step.want) {
			t.Errorf("heliograph %s printed\n%s\nwant %s", step.arguments, got, step.want)
		}
	}
	for arguments, want := range map[string]string{
		"fault add s3 --down":                "there are delivery, disconnect, dynamodb",
		"fault add sns":                      "sns may have one of error, down, latency",
		"fault add sns --error Nope":         "there are InternalError, ServiceUnavailable, Throttled, and NoAnswer or LostAnswer",
		"fault add sns --down --rate 0":      "it must be above 0",
		"fault add sns --latency soon":       "p50=4ms,p99=20ms",
		"fault add sns --down --error Other": "--down",
		"fault clear fault-77":               "there is no fault",
		"local --latency gcp":                "aws",
	} {
		p := start(t, append([]string{"--target", file}, strings.Fields(arguments)...)...)
		if code := p.exit(t, patience); code == 0 || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("heliograph %s: exit code %d, %q; want %q", arguments, code, p.stderr, want)
		}
	}
}
