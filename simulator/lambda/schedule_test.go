package lambda

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

func TestScheduleInvokesAtEachPeriod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := &invoker{}
		s, err := NewSchedule(in, ScheduleConfig{Function: "f", RuleARN: ruleARN, Expression: "rate(1 minute)"})
		if err != nil {
			t.Fatal(err)
		}
		go s.Run(t.Context())
		time.Sleep(3*time.Minute + time.Second)
		s.Trigger(t.Context())
		synctest.Wait()
		s.Close()
		if len(in.asyncs) != 4 {
			t.Fatalf("3 minutes and a trigger gave %d events", len(in.asyncs))
		}
		var event events.EventBridgeEvent
		if err := json.Unmarshal(in.asyncs[0], &event); err != nil {
			t.Fatal(err)
		}
		if event.DetailType != "Scheduled Event" || event.Source != "aws.events" || event.AccountID != "000000000000" || event.Region != "eu-west-1" ||
			len(event.Resources) != 1 || event.Resources[0] != ruleARN || string(event.Detail) != "{}" || event.Version != "0" || len(event.ID) != 36 {
			t.Errorf("the event is %s", in.asyncs[0])
		}
	})
}

func TestScheduleSendsItsInput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := &invoker{}
		s, err := NewSchedule(in, ScheduleConfig{Function: "f", RuleARN: ruleARN, Expression: "rate(2 minutes)", Input: `{"a":1}`, Minute: 500 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		go s.Run(t.Context())
		time.Sleep(1500 * time.Millisecond)
		s.Close()
		if len(in.asyncs) != 1 || string(in.asyncs[0]) != `{"a":1}` {
			t.Errorf("the events are %q", in.asyncs)
		}
	})
}

func TestScheduleExpressions(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]time.Duration{
		"rate(1 minute)": time.Minute, "rate(5 minutes)": 5 * time.Minute, "rate(1 hour)": time.Hour, "rate(2 days)": 48 * time.Hour,
		"rate(1 minutes)": 0, "rate(5 minute)": 0, "rate(0 minutes)": 0, "rate(1 second)": 0, "cron(0 12 * * ? *)": 0, "": 0, "rate(1.5 minutes)": 0,
	} {
		if got, err := parseRate(expression); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %v, %v", expression, got, err)
		}
	}
	if _, err := NewSchedule(&invoker{}, ScheduleConfig{Function: "g", Expression: "rate(1 minute)"}); err == nil {
		t.Error("an unknown function was taken")
	}
	if _, err := NewSchedule(&invoker{}, ScheduleConfig{Function: "f", Expression: "rate(1 minute)", Input: "{"}); err == nil {
		t.Error("an input that is no JSON was taken")
	}
}
