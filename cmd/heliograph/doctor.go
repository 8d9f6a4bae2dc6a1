package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// doctorCommand looks for what is wrong with a stack, or with an account that shall have one.
type doctorCommand struct {
	Account bool   `help:"Before the first deployment: examine the account, for the stack that --stack names."`
	Region  string `help:"With --account: the Region; by default the stack's aws:region, then that of the AWS configuration."`
	JSON    bool   `name:"json" help:"Print the findings as JSON."`
	Strict  bool   `help:"End with 1 if there are warnings."`
	credential
}

func (doctorCommand) Help() string {
	return `Examines the stack: secret, token, clock, queue, dead letters, topic, table, custom domains, alarms, a message through a
connection of the user ` + greeter + `; and on AWS the account's log role and quotas. Each finding says what is wrong,
what it costs and the command that mends it.

Exit code: 0; with --strict, 1 for warnings; 2 for problems.

Examples:
  heliograph doctor
  heliograph --stack prod doctor --json
  heliograph --stack dev doctor --account --region eu-west-1`
}

// level is how bad a finding is.
type level string

const (
	fine    level = "ok"
	warning level = "warning" // works, and will not always
	problem level = "problem" // does not work
)

// finding is the result of one check.
type finding struct {
	Check string `json:"check"`
	Level level  `json:"level"`
	Says  string `json:"says"`            // how it is
	Costs string `json:"costs,omitempty"` // what it leads to
	Mend  string `json:"mend,omitempty"`  // the command that mends it
}

// exitCode is the error of a command that ends with a code of its own and has said why.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// checkLimit bounds each check; the message through the stack has its own.
const checkLimit = 15 * time.Second

// check is one thing to look at. Its error means that it could not be looked at, which is as bad as blind says.
type check struct {
	name  string
	blind level
	look  func(context.Context) (finding, error)
}

func (c *doctorCommand) Run(ctx context.Context, w world, line *commands) error {
	checks, err := c.checks(ctx, w, line)
	if err != nil {
		return err
	}
	report := report{w: w.stdout, json: c.JSON}
	for _, one := range checks {
		if err := report.add(one.run(ctx)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := report.end(); err != nil {
		return err
	}
	return report.verdict(c.Strict)
}

// checks returns what there is to check, in the order in which one failure explains the next.
func (c *doctorCommand) checks(ctx context.Context, w world, line *commands) ([]check, error) {
	command := "heliograph"
	if line.Stack != "" {
		command += " --stack " + line.Stack
	}
	if c.Account {
		return accountChecks(ctx, c, line)
	}
	if c.Region != "" {
		return nil, errors.New("--region goes with --account: a stack says itself where it is")
	}
	t, err := line.target(ctx)
	if err != nil {
		return nil, err
	}
	p := &patient{target: t, w: w, credential: c.credential, command: command}
	if t.AWSEndpointURL != "" {
		return append(p.checks(), check{"account", fine, func(context.Context) (finding, error) {
			return ok("a local stack has no quotas"), nil
		}}), nil
	}
	config, err := readConfig(ctx, line.Stack)
	return append(p.checks(), newAccount(t.aws, config, err).checks()...), nil
}

// run looks within the limit, and turns an error into a finding.
func (c check) run(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, max(checkLimit, helloLimit))
	defer cancel()
	f, err := c.look(ctx)
	if err != nil {
		f.Level, f.Says = c.blind, err.Error()
		if c.blind != problem {
			f.Says, f.Costs = "can't be checked: "+f.Says, "what may be wrong with it stays unknown"
		}
	}
	f.Check = c.name
	return f
}

func ok(format string, values ...any) finding {
	return finding{Level: fine, Says: fmt.Sprintf(format, values...)}
}

// report prints findings as they come and counts them.
type report struct {
	w        io.Writer
	json     bool
	findings []finding
}

func (r *report) add(f finding) error {
	r.findings = append(r.findings, f)
	if r.json {
		return nil
	}
	text := fmt.Sprintf("%-8s  %-18s  %s\n", f.Level, f.Check, quoted(f.Says))
	for _, more := range []struct{ what, text string }{{"costs", f.Costs}, {"mend", f.Mend}} {
		if more.text != "" {
			text += fmt.Sprintf("%-30s%-7s%s\n", "", more.what+":", quoted(more.text))
		}
	}
	_, err := io.WriteString(r.w, text)
	return err
}

func (r *report) count(l level) (n int) {
	for _, f := range r.findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// end prints the sums or, as JSON, everything.
func (r *report) end() error {
	if !r.json {
		_, err := fmt.Fprintf(r.w, "\n%d checked: %d problems, %d warnings\n", len(r.findings), r.count(problem), r.count(warning))
		return err
	}
	out := json.NewEncoder(r.w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		Problems int       `json:"problems"`
		Warnings int       `json:"warnings"`
		Findings []finding `json:"findings"`
	}{r.count(problem), r.count(warning), r.findings})
}

func (r *report) verdict(strict bool) error {
	switch {
	case r.count(problem) > 0:
		return exitCode(2)
	case strict && r.count(warning) > 0:
		return exitCode(1)
	}
	return nil
}

// firsts joins the first few of many names.
func firsts(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
