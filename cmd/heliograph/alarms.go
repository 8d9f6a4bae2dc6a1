package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"heliograph/simulator/cloudwatch/alarm"
)

// alarmsCommand lists the stack's alarms and, with --watch, each change of state.
type alarmsCommand struct {
	Watch bool          `short:"w" help:"Then print each change of state, until interrupted."`
	Every time.Duration `default:"2s" help:"How often --watch polls."`
	JSON  bool          `name:"json" help:"Print one JSON object per line."`
}

func (alarmsCommand) Help() string {
	return `Lists the stack's alarms, those that fire first. The severity and the runbook come from each alarm's description.

Examples:
  heliograph alarms
  heliograph alarms --watch --json
  heliograph alarms --stack prod`
}

// alarmState is an alarm in its printed form.
type alarmState struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`
	Severity string    `json:"severity,omitempty"`
	Since    time.Time `json:"since"`
	Reason   string    `json:"reason"`
	Runbook  string    `json:"runbook,omitempty"`
}

func (c *alarmsCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	if c.Every <= 0 {
		return fmt.Errorf("--every is %v; it must be above 0", c.Every)
	}
	return c.run(ctx, w, cloudwatch.NewFromConfig(t.aws), t.TableName)
}

// run lists the alarms whose names begin with the stack's and, with --watch, goes on to print changes.
func (c *alarmsCommand) run(ctx context.Context, w world, client *cloudwatch.Client, stack string) error {
	list, err := listAlarms(ctx, client, stack)
	if err != nil {
		return err
	}
	if err := c.print(w, list); err != nil || !c.Watch {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(c.Every):
		}
		now, err := listAlarms(ctx, client, stack)
		if err != nil {
			return err
		}
		if err := c.printChanges(w, list, now); err != nil {
			return err
		}
		list = now
	}
}

// listAlarms reads all alarms, page by page. Without a stack name it returns every alarm of the account in the
// Region.
func listAlarms(ctx context.Context, client *cloudwatch.Client, stack string) ([]alarmState, error) {
	in := &cloudwatch.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm}}
	prefix := ""
	if stack != "" {
		prefix = stack + "-"
		in.AlarmNamePrefix = &prefix
	}
	var list []alarmState
	for pages := cloudwatch.NewDescribeAlarmsPaginator(client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the alarms: %w", err)
		}
		for _, a := range page.CompositeAlarms {
			list = append(list, newAlarmState(prefix, a.AlarmName, a.StateValue, a.StateReason, a.AlarmDescription, a.StateTransitionedTimestamp))
		}
		for _, a := range page.MetricAlarms {
			list = append(list, newAlarmState(prefix, a.AlarmName, a.StateValue, a.StateReason, a.AlarmDescription, a.StateTransitionedTimestamp))
		}
	}
	slices.SortFunc(list, func(a, b alarmState) int {
		return cmp.Or(cmp.Compare(urgency(a), urgency(b)), strings.Compare(a.Name, b.Name))
	})
	return list, nil
}

// urgency orders states so that firing alarms come first.
func urgency(a alarmState) int {
	return slices.Index([]string{"ALARM", "INSUFFICIENT_DATA", "OK"}, a.State)
}

func newAlarmState(prefix string, name *string, state types.StateValue, reason, description *string, since *time.Time) alarmState {
	text := aws.ToString(description)
	return alarmState{
		Name: strings.TrimPrefix(aws.ToString(name), prefix), State: string(state), Reason: aws.ToString(reason), Since: aws.ToTime(since),
		Severity: alarm.Said(text, "Severity"), Runbook: alarm.Said(text, "Runbook"),
	}
}

func (c *alarmsCommand) print(w world, list []alarmState) error {
	if c.JSON {
		for _, a := range list {
			if err := json.NewEncoder(w.stdout).Encode(a); err != nil {
				return fmt.Errorf("print the alarms: %w", err)
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(w.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ALARM\tSTATE\tSEVERITY\tSINCE\tRUNBOOK\tREASON")
	for _, a := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", quoted(a.Name), quoted(a.State), orDash(a.Severity), a.Since.Local().Format(time.DateTime), orDash(a.Runbook), quoted(a.Reason))
	}
	return table.Flush()
}

func orDash(text string) string { return quoted(cmp.Or(text, "-")) }

// printChanges prints the alarms whose state differs between the two lists.
func (c *alarmsCommand) printChanges(w world, before, now []alarmState) error {
	for _, a := range now {
		i := slices.IndexFunc(before, func(b alarmState) bool { return b.Name == a.Name })
		if i >= 0 && before[i].State == a.State && before[i].Since.Equal(a.Since) {
			continue
		}
		if c.JSON {
			if err := json.NewEncoder(w.stdout).Encode(a); err != nil {
				return fmt.Errorf("print the alarms: %w", err)
			}
			continue
		}
		from := "new"
		if i >= 0 {
			from = before[i].State
		}
		if _, err := fmt.Fprintf(w.stdout, "%s  %s: %s -> %s  %s\n", a.Since.Local().Format(time.TimeOnly), quoted(a.Name), quoted(from), quoted(a.State), quoted(a.Reason)); err != nil {
			return fmt.Errorf("print the alarms: %w", err)
		}
	}
	return nil
}
