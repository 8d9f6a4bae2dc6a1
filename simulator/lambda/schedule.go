package lambda

import (
	"context"
	"encoding/json"
	"regexp"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Schedule invokes a function periodically, like an EventBridge rule.
type Schedule struct {
	runner
	in     Invoker
	config ScheduleConfig
	period time.Duration
	now    func() time.Time
	fire   chan struct{}
}

// NewSchedule returns a schedule for Run to start. A bad expression is a ValidationException in AWS's words.
func NewSchedule(in Invoker, c ScheduleConfig) (*Schedule, error) {
	if _, err := checkFunction(in, c.Function); err != nil {
		return nil, err
	}
	period, err := parseRate(c.Expression)
	if err != nil {
		return nil, err
	}
	if c.Input != "" && !json.Valid([]byte(c.Input)) {
		return nil, invalidParameter("the input of the rule %s is not JSON", c.RuleARN)
	}
	if c.Minute > 0 {
		period = time.Duration(float64(period) * float64(c.Minute) / float64(time.Minute))
	}
	return &Schedule{in: in, config: c, period: period, now: time.Now, fire: make(chan struct{})}, nil
}

var (
	rate  = regexp.MustCompile(`^rate\((\d+) (minute|hour|day)(s?)\)$`)
	units = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
)

// parseRate parses rate(<n> <unit>). AWS insists on a singular unit for 1 and a plural one otherwise.
func parseRate(expression string) (time.Duration, error) {
	parts := rate.FindStringSubmatch(expression)
	if parts == nil {
		return 0, invalidParameter("the schedule expression %q is not rate(…), the only kind that the simulator knows", expression)
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 1 || (n == 1) != (parts[3] == "") || n > 1<<20 {
		return 0, invalidParameter("Parameter ScheduleExpression is not valid: %s", expression)
	}
	return time.Duration(n) * units[parts[2]], nil
}

// Run invokes the function at the end of each period until the context ends or Close is called.
func (s *Schedule) Run(ctx context.Context) {
	s.run(ctx, func(ctx context.Context) {
		ticker := time.NewTicker(s.period)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-s.fire:
			case <-ctx.Done():
				return
			}
			s.invoke()
		}
	})
}

// Trigger invokes the function now, in addition to its schedule, if Run is under way.
func (s *Schedule) Trigger(ctx context.Context) {
	select {
	case s.fire <- struct{}{}:
	case <-ctx.Done():
	}
}

func (s *Schedule) invoke() {
	event := []byte(s.config.Input)
	if len(event) == 0 {
		event = s.event()
	}
	if err := s.in.InvokeAsync(Request{Function: s.config.Function, Payload: event}); err != nil {
		problem(s.config.Problem, "the rule %s can't invoke %s: %v", s.config.RuleARN, s.config.Function, err)
	}
}

// scheduledEvent is EventBridge's event.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
type scheduledEvent struct {
	Version    string         `json:"version"`
	ID         string         `json:"id"`
	DetailType string         `json:"detail-type"`
	Source     string         `json:"source"`
	Account    string         `json:"account"`
	Time       string         `json:"time"`
	Region     string         `json:"region"`
	Resources  []string       `json:"resources"`
	Detail     map[string]any `json:"detail"`
}

func (s *Schedule) event() []byte {
	return encode(scheduledEvent{
		Version: "0", ID: uuid.NewString(), DetailType: "Scheduled Event", Source: "aws.events",
		Account: accountOf(s.config.RuleARN), Time: s.now().UTC().Format("2006-01-02T15:04:05Z"),
		Region: regionOf(s.config.RuleARN), Resources: []string{s.config.RuleARN}, Detail: map[string]any{},
	})
}
