package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/cloudwatch"
)

var start = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

const topic = "arn:aws:sns:eu-west-1:000000000000:alarms"

// world is a store and an engine whose time is advanced by hand.
type world struct {
	*testing.T
	now    time.Time
	store  *cloudwatch.Store
	engine *Engine
	told   []string // the subjects of the notifications
	last   Notification
	refuse error
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: start}
	w.store = cloudwatch.New(cloudwatch.Options{Now: func() time.Time { return w.now }})
	w.engine = New(w.store, Options{Region: "eu-west-1", Account: "000000000000", Notify: func(_ context.Context, topicARN string, n Notification) error {
		if topicARN != topic {
			t.Errorf("published to %s", topicARN)
		}
		w.told, w.last = append(w.told, n.Subject), n
		return w.refuse
	}})
	return w
}

func (w *world) put(a MetricAlarm) {
	w.Helper()
	if err := w.engine.PutMetric(a); err != nil {
		w.Fatal(err)
	}
}

func (w *world) putComposite(a CompositeAlarm) {
	w.Helper()
	if err := w.engine.PutComposite(a); err != nil {
		w.Fatal(err)
	}
}

// value puts values of a metric into the current minute.
func (w *world) value(name string, values ...float64) {
	w.Helper()
	for _, v := range values {
		if err := w.store.PutMetric(cloudwatch.Datum{Namespace: "N", Name: name, Value: v}); err != nil {
			w.Fatal(err)
		}
	}
}

// minute ends the current minute, and returns an alarm's state then.
func (w *world) minute(name string) State {
	w.now = w.now.Add(time.Minute)
	w.engine.Evaluate(w.Context(), w.now)
	a, _ := w.engine.Alarm(name)
	return a.State
}

// plain alarms if the sum of the metric M reaches 1 in m of n minutes.
func plain(name string, m, n int, missing string) MetricAlarm {
	return MetricAlarm{
		Name: name, Metric: stat("M", "Sum"), Period: time.Minute, Comparison: "GreaterThanOrEqualToThreshold", Threshold: 1,
		EvaluationPeriods: n, DatapointsToAlarm: m, Missing: missing,
		Actions: Actions{Alarm: []string{topic}, OK: []string{topic}, InsufficientData: []string{topic}},
	}
}

func stat(metric, statistic string) *cloudwatch.MetricStat {
	return &cloudwatch.MetricStat{Namespace: "N", Name: metric, Stat: statistic}
}

func TestThreeOfFive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(plain("a", 3, 5, "notBreaching"))
	if a, _ := w.engine.Alarm("a"); a.State != InsufficientData || a.Reason != "Unchecked: Initial alarm creation" {
		t.Errorf("new: %+v", a)
	}
	var states []State
	for _, bad := range []bool{true, false, true, false, true, false, false, true, false, false, false} {
		if bad {
			w.value("M", 1)
		}
		states = append(states, w.minute("a"))
	}
	// The range is 7 minutes; missing values are good, and are filled in only as far as real ones lack.
	want := []State{OK, OK, OK, OK, Alarming, Alarming, Alarming, Alarming, Alarming, OK, OK}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`OK: "a" in eu-west-1`, `ALARM: "a" in eu-west-1`, `OK: "a" in eu-west-1`}, w.told); diff != "" {
		t.Error(diff)
	}
}

// TestPeriodsSlide proves that the periods slide: a period of 5 minutes is evaluated each minute, at the end of minute
// 6 over minutes 2 to 6.
func TestPeriodsSlide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := plain("a", 1, 1, "notBreaching")
	a.Period, a.Threshold = 5*time.Minute, 5
	w.put(a)
	var states []State
	for range 6 {
		w.value("M", 1)
		states = append(states, w.minute("a"))
	}
	got, _ := w.engine.Alarm("a")
	want := []State{OK, OK, OK, OK, Alarming, Alarming}
	if diff := cmp.Diff(want, states); diff != "" || got.Datapoints[2].Value != 5 || !got.Datapoints[2].Time.Equal(start.Add(time.Minute)) {
		t.Errorf("%s %+v", diff, got.Datapoints)
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		alarm  MetricAlarm
		values []float64 // of the minutes, NaN for no value
		want   string
	}{
		"one bad":         {plain("a", 1, 1, ""), []float64{3}, "Threshold Crossed: 1 out of the last 1 datapoint [3.0 (02/01/26 03:00:00)] was greater than or equal to the threshold (1.0) (minimum 1 datapoint for INSUFFICIENT_DATA -> ALARM transition)."},
		"two bad":         {plain("a", 2, 2, "ignore"), []float64{1, 2.5}, "Threshold Crossed: 2 out of the last 2 datapoints [2.5 (02/01/26 03:01:00), 1.0 (02/01/26 03:00:00)] were greater than or equal to the threshold (1.0) (minimum 2 datapoints for INSUFFICIENT_DATA -> ALARM transition)."},
		"a good one":      {plain("a", 1, 1, ""), []float64{3, 0}, "Threshold Crossed: 1 out of the last 1 datapoint [0.0 (02/01/26 03:01:00)] was not greater than or equal to the threshold (1.0) (minimum 1 datapoint for ALARM -> OK transition)."},
		"silence is good": {plain("a", 1, 1, "notBreaching"), []float64{math.NaN()}, "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching]."},
		"silence is bad":  {plain("a", 2, 2, "breaching"), []float64{math.NaN()}, "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as [Breaching]."},
		"filled":          {plain("a", 2, 2, "breaching"), []float64{7}, "Threshold Crossed: 1 out of the last 1 datapoint [7.0 (02/01/26 03:00:00)] was greater than or equal to the threshold (1.0) and 1 missing datapoint was treated as [Breaching] (minimum 2 datapoints for INSUFFICIENT_DATA -> ALARM transition)."},
		"nothing known":   {plain("a", 1, 1, "missing"), []float64{0, math.NaN(), math.NaN(), math.NaN(), math.NaN()}, "Insufficient Data: 1 datapoint was unknown."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put(tt.alarm)
			for _, v := range tt.values {
				if !math.IsNaN(v) {
					w.value("M", v)
				}
				w.minute("a")
			}
			if a, _ := w.engine.Alarm("a"); a.Reason != tt.want {
				t.Errorf("%s", cmp.Diff(tt.want, a.Reason))
			}
		})
	}
}

// ratio is the share of a in both, in percent, if together they are at least 10.
func ratio(name string) MetricAlarm {
	a := plain(name, 1, 1, "notBreaching")
	a.Metric, a.Period, a.Threshold = nil, 0, 5
	a.Queries = []cloudwatch.DataQuery{
		{ID: "bad", Metric: stat("Bad", "Sum"), Period: time.Minute, Hidden: true},
		{ID: "all", Metric: stat("All", "Sum"), Period: time.Minute, Hidden: true},
		{ID: "share", Expression: "IF(FILL(all,0)>=10,100*FILL(bad,0)/all,0)", Label: "share of the bad"},
	}
	return a
}

func TestMetricMath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(ratio("r"))
	for _, tt := range []struct {
		bad, all float64
		want     State
	}{{5, 5, OK}, {1, 21, OK}, {2, 21, Alarming}, {0, 100, OK}} {
		w.value("Bad", tt.bad)
		w.value("All", tt.all)
		if got := w.minute("r"); got != tt.want {
			t.Errorf("%v of %v: %s", tt.bad, tt.all, got)
		}
	}
	if got := w.minute("r"); got != OK {
		t.Errorf("without traffic: %s", got)
	}
	inputs, err := w.engine.Inputs("r", 2)
	if err != nil || len(inputs) != 3 || inputs[0].Values[0] != 0 || !inputs[0].Hidden || inputs[2].Label != "share of the bad" || !inputs[2].TimeOf(1).Equal(start.Add(4*time.Minute)) {
		t.Errorf("%+v %v", inputs, err)
	}
}

// TestDynamoDBIgnoresMissingData proves that alarms on a metric of DynamoDB ignore missing data, whatever they specify.
func TestDynamoDBIgnoresMissingData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := plain("a", 1, 1, "notBreaching")
	a.Metric = &cloudwatch.MetricStat{Namespace: "AWS/DynamoDB", Name: "SystemErrors", Stat: "Sum"}
	w.put(a)
	if err := w.store.PutMetric(cloudwatch.Datum{Namespace: "AWS/DynamoDB", Name: "SystemErrors", Value: 1}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if got := w.minute("a"); got != Alarming {
			t.Fatal(got)
		}
	}
}

// TestLowSampleCounts proves that p99 needs 1,000 values, and p10 needs 100, if few values are to be ignored.
func TestLowSampleCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		stat, low string
		values    int
		want      State
	}{
		{"p99", "ignore", 999, InsufficientData},
		{"p99", "ignore", 1000, Alarming},
		{"p99", "evaluate", 1, Alarming},
		{"p99", "", 1, Alarming},
		{"p10", "ignore", 99, InsufficientData},
		{"p10", "ignore", 100, Alarming},
		{"Maximum", "ignore", 1, Alarming},
	} {
		w := newWorld(t)
		a := plain("a", 1, 1, "")
		a.Metric, a.LowSamples = stat("M", tt.stat), tt.low
		w.put(a)
		for range tt.values {
			w.value("M", 2)
		}
		if got := w.minute("a"); got != tt.want {
			t.Errorf("%s of %d values, %q: %s", tt.stat, tt.values, tt.low, got)
		}
	}
}

func TestAnomalyBand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := plain("a", 1, 1, "ignore")
	a.Metric, a.Comparison, a.Band = nil, "LessThanLowerOrGreaterThanUpperThreshold", "band"
	a.Queries = []cloudwatch.DataQuery{
		{ID: "m", Metric: stat("M", "Average"), Period: time.Minute},
		{ID: "band", Expression: "ANOMALY_DETECTION_BAND(m, 3)"},
	}
	w.put(a)
	for i := range 60 {
		w.value("M", 100+float64(i%3))
		if got := w.minute("a"); i < 14 && got != InsufficientData || i > 16 && got != OK {
			t.Fatalf("minute %d: %s", i, got)
		}
	}
	w.value("M", 114) // 5 % of the mean are 5.05; the band is three times that
	if got := w.minute("a"); got != OK {
		t.Error("114 is unusual")
	}
	w.value("M", 130)
	if got := w.minute("a"); got != Alarming {
		t.Error("130 is usual")
	}
	w.value("M", 60)
	if got := w.minute("a"); got != Alarming {
		t.Error("60 is usual")
	}
	w.value("M", 100)
	if got := w.minute("a"); got != OK {
		t.Error("100 is unusual")
	}
}

func TestComposite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	child := func(name, metric string) MetricAlarm {
		a := plain(name, 1, 1, "notBreaching")
		a.Metric, a.Actions = stat(metric, "Sum"), Actions{}
		return a
	}
	w.put(child("fast", "M"))
	w.put(child("slow", "S"))
	w.putComposite(CompositeAlarm{Name: "both", Rule: `ALARM(fast) AND ALARM("arn:aws:cloudwatch:eu-west-1:000000000000:alarm:slow")`, Actions: Actions{Alarm: []string{topic}}})
	w.putComposite(CompositeAlarm{Name: "quiet", Rule: `NOT (ALARM(both) OR INSUFFICIENT_DATA(both)) AND (TRUE OR FALSE)`})
	w.value("M", 1)
	if got := w.minute("both"); got != OK || len(w.told) != 0 {
		t.Errorf("one child: %s, told %v", got, w.told)
	}
	w.value("M", 1)
	w.value("S", 1)
	if got := w.minute("both"); got != Alarming {
		t.Error(got)
	}
	if quiet, _ := w.engine.Alarm("quiet"); quiet.State != OK || cmp.Diff([]string{"both"}, quiet.Children) != "" {
		t.Errorf("a composite on a composite: %+v", quiet)
	}
	both, _ := w.engine.Alarm("both")
	if want := "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:slow transitioned to ALARM at Friday 02 January, 2026 03:02:00 UTC"; both.Reason != want {
		t.Error(both.Reason)
	}
	var m struct {
		AlarmRule, NewStateValue, OldStateValue string
		TriggeringChildren                      []struct{ Arn string }
	}
	if err := json.Unmarshal([]byte(w.last.Message), &m); err != nil || m.NewStateValue != "ALARM" || m.OldStateValue != "OK" || !strings.HasSuffix(m.TriggeringChildren[0].Arn, ":slow") {
		t.Errorf("%v %s", err, w.last.Message)
	}
}

// TestSuppression proves that suppression follows the examples of AWS's page about it, with a wait period of 2 and an
// extension period of 3 minutes. Each word is a minute: the composite's alarm, the suppressor, and the notifications.
func TestSuppression(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ composite, suppressor, told string }{
		"1: not suppressed after the wait":         {"0 X X X X X", "0 0 0 0 0 0", "- - - ALARM - -"},
		"2: suppressed before the wait is over":    {"0 X X X X X", "0 0 X X X X", "- - - - - -"},
		"3: a change during the wait":              {"0 X 0 0 0 0", "0 0 0 0 0 0", "- - - - OK -"},
		"4: suppressed from the start":             {"0 X X X X X", "X X X X X X", "- - - - - -"},
		"5: not suppressed after the extension":    {"0 X X X X X X X X X", "0 0 X X X 0 0 0 0 0", "- - - - - - - - ALARM -"},
		"6: a change during the extension":         {"0 X X X X X 0 0 0 0", "0 0 X X X 0 0 0 0 0", "- - - - - - - - OK -"},
		"a suppressor that comes after the action": {"0 X X X X X 0 0 0", "0 0 0 0 X X X X X", "- - - ALARM - - - - -"},
		"it comes back during the extension":       {"0 X X X X X X X", "0 0 X 0 X X X X", "- - - - - - - -"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, name := range []string{"C", "S"} {
				a := plain(name, 1, 1, "notBreaching")
				a.Metric, a.Actions = stat(name, "Sum"), Actions{}
				w.put(a)
			}
			actions := Actions{OK: []string{topic}, Alarm: []string{topic}}
			w.putComposite(CompositeAlarm{Name: "a", Rule: "ALARM(C)", Suppressor: "S", Wait: 2 * time.Minute, Extension: 3 * time.Minute, Actions: actions})
			w.minute("a") // OK at first, which it also waits for
			w.now = w.now.Add(time.Minute)
			w.minute("a")
			w.told = nil
			suppressor := strings.Fields(tt.suppressor)
			var told []string
			for i, word := range strings.Fields(tt.composite) {
				w.value("C", map[string]float64{"X": 1}[word])
				w.value("S", map[string]float64{"X": 1}[suppressor[i]])
				w.told = nil
				w.minute("a")
				said, _, _ := strings.Cut(strings.Join(w.told, " "), ":")
				told = append(told, map[bool]string{true: "-"}[said == ""]+said)
			}
			if diff := cmp.Diff(tt.told, strings.Join(told, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNotification(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := plain("a", 1, 1, "notBreaching")
	a.Description = "Too many. Runbook: docs/runbooks/a.md"
	a.Metric.Dimensions = []cloudwatch.Dimension{{Name: "Stage", Value: "dev"}}
	w.put(a)
	if err := w.store.PutMetric(cloudwatch.Datum{Namespace: "N", Name: "M", Value: 3, Dimensions: a.Metric.Dimensions}); err != nil {
		t.Fatal(err)
	}
	w.minute("a")
	want := `{"AlarmName":"a","AlarmDescription":"Too many. Runbook: docs/runbooks/a.md","AWSAccountId":"000000000000",` +
		`"AlarmConfigurationUpdatedTimestamp":"2026-01-02T03:00:00.000+0000","NewStateValue":"ALARM",` +
		`"NewStateReason":"Threshold Crossed: 1 out of the last 1 datapoint [3.0 (02/01/26 03:00:00)] was greater than or equal to the threshold (1.0) (minimum 1 datapoint for INSUFFICIENT_DATA -\u003e ALARM transition).",` +
		`"StateChangeTime":"2026-01-02T03:01:00.000+0000","Region":"eu-west-1","AlarmArn":"arn:aws:cloudwatch:eu-west-1:000000000000:alarm:a","OldStateValue":"INSUFFICIENT_DATA",` +
		`"OKActions":["` + topic + `"],"AlarmActions":["` + topic + `"],"InsufficientDataActions":["` + topic + `"],` +
		`"Trigger":{"ComparisonOperator":"GreaterThanOrEqualToThreshold","DatapointsToAlarm":1,"Dimensions":[{"value":"dev","name":"Stage"}],"EvaluateLowSampleCountPercentile":"",` +
		`"EvaluationPeriods":1,"MetricName":"M","Namespace":"N","Period":60,"Statistic":"SUM","StatisticType":"Statistic","Threshold":1,"TreatMissingData":"notBreaching","Unit":null}}`
	if diff := cmp.Diff(want, w.last.Message); diff != "" {
		t.Error(diff)
	}
	got, _ := w.engine.Alarm("a")
	if got.Runbook != "docs/runbooks/a.md" || got.Condition != "Sum of N M >= 1 for 1 of 1 period of 1m" {
		t.Errorf("%q %q", got.Runbook, got.Condition)
	}
}

func TestFailedNotificationsAreNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuse = errors.New("no such topic")
	w.put(plain("a", 1, 1, "notBreaching"))
	w.minute("a")
	var kinds []string
	for _, item := range w.engine.History("a") {
		kinds = append(kinds, item.Kind+" "+item.Summary)
	}
	want := []string{
		"StateUpdate Alarm updated from INSUFFICIENT_DATA to OK", "Action Failed to execute action " + topic + ": no such topic",
		`ConfigurationUpdate Alarm "a" created`,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
	var data struct {
		OldState, NewState struct{ StateValue, StateReason string }
	}
	if err := json.Unmarshal([]byte(w.engine.History("a")[0].Data), &data); err != nil || data.OldState.StateValue != "INSUFFICIENT_DATA" || data.NewState.StateReason == "" {
		t.Errorf("%v %+v", err, data)
	}
}

func TestSilentActionsAndSetState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := plain("loud", 1, 1, "notBreaching")
	w.put(a)
	a.Name, a.Actions.Disabled = "silent", true
	w.put(a)
	for _, name := range []string{"loud", "silent"} {
		if err := w.engine.SetState(t.Context(), name, Alarming, "a try", ""); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{`ALARM: "loud" in eu-west-1`}, w.told); diff != "" {
		t.Error(diff)
	}
	if got := w.minute("silent"); got != OK { // until the next evaluation
		t.Error(got)
	}
	if err := w.engine.SetState(t.Context(), "nobody", OK, "", ""); err == nil {
		t.Error("an unknown alarm was set")
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(plain("a", 1, 1, "notBreaching"))
	for i := range 3 * itemsKept {
		w.value("M", float64(i%2))
		w.minute("a")
	}
	if n := len(w.engine.History("")); n != itemsKept {
		t.Errorf("%d items are kept", n)
	}
}

// TestRunOnAShortMinute proves that with a minute of a second, Run evaluates each second, and six times as often with
// an alarm of high resolution.
func TestRunOnAShortMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := cloudwatch.New(cloudwatch.Options{Minute: time.Second})
		told := make(chan string, 10)
		e := New(store, Options{Notify: func(_ context.Context, _ string, n Notification) error {
			told <- n.Subject[:2]
			return nil
		}})
		if err := e.PutMetric(plain("a", 2, 2, "notBreaching")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); e.Run(ctx) }()
		for range 4 {
			if err := store.PutMetric(cloudwatch.Datum{Namespace: "N", Name: "M", Value: 1}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		cancel()
		<-done
		if got := fmt.Sprint(<-told, <-told, len(told)); got != "OKAL0" {
			t.Error(got)
		}
		a, _ := e.Alarm("a")
		if got := a.Since.Sub(a.Configured).Round(time.Millisecond); got < 2*time.Second || got > 3*time.Second {
			t.Errorf("it took %v", got)
		}
	})
}

func TestHighResolution(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := plain("a", 1, 1, "notBreaching")
	a.Period = 10 * time.Second
	w.put(a)
	var states []State
	for i := range 6 {
		if i == 2 {
			if err := w.store.PutMetric(cloudwatch.Datum{Namespace: "N", Name: "M", Value: 1, HighResolution: true}); err != nil {
				t.Fatal(err)
			}
		}
		w.now = w.now.Add(10 * time.Second)
		w.engine.Evaluate(t.Context(), w.now)
		got, _ := w.engine.Alarm("a")
		states = append(states, got.State)
	}
	// The range is 3 periods, and the only value counts until it has left the range.
	if diff := cmp.Diff([]State{OK, OK, Alarming, Alarming, Alarming, OK}, states); diff != "" {
		t.Error(diff)
	}
	if step := w.engine.step(); step != 10 {
		t.Errorf("evaluated every %d s", step)
	}
}

func TestRefusedAlarms(t *testing.T) {
	t.Parallel()
	metric := func(change func(*MetricAlarm)) MetricAlarm {
		a := plain("a", 1, 1, "")
		change(&a)
		return a
	}
	math := func(change func(*MetricAlarm)) MetricAlarm {
		a := ratio("a")
		change(&a)
		return a
	}
	for want, a := range map[string]MetricAlarm{
		"the name has 0 characters":            metric(func(a *MetricAlarm) { a.Name = "" }),
		"evaluationPeriods is 0":               metric(func(a *MetricAlarm) { a.EvaluationPeriods = 0 }),
		"datapointsToAlarm is 2":               metric(func(a *MetricAlarm) { a.DatapointsToAlarm = 2 }),
		`the comparison "More" is not known`:   metric(func(a *MetricAlarm) { a.Comparison = "More" }),
		`missing data is "good"`:               metric(func(a *MetricAlarm) { a.Missing = "good" }),
		`low sample counts is "some"`:          metric(func(a *MetricAlarm) { a.LowSamples = "some" }),
		"the period is 45 s":                   metric(func(a *MetricAlarm) { a.Period = 45 * time.Second }),
		`the statistic "Median" is not known`:  metric(func(a *MetricAlarm) { a.Metric = stat("M", "Median") }),
		"CloudWatch takes a day":               metric(func(a *MetricAlarm) { a.EvaluationPeriods, a.DatapointsToAlarm = 1441, 1 }),
		"and 7 days from periods of an hour":   metric(func(a *MetricAlarm) { a.EvaluationPeriods, a.Period = 8, 24*time.Hour }),
		"is not simulated; only the ARNs":      metric(func(a *MetricAlarm) { a.Actions.OK = []string{"arn:aws:lambda:x"} }),
		"there are 6 actions":                  metric(func(a *MetricAlarm) { a.Actions.OK = []string{topic, topic, topic, topic, topic, topic} }),
		"either a metric or metric queries":    metric(func(a *MetricAlarm) { a.Metric = nil }),
		"do not fit together":                  metric(func(a *MetricAlarm) { a.Comparison = "LessThanLowerThreshold" }),
		"the function SEARCH is not simulated": math(func(a *MetricAlarm) { a.Queries[2].Expression = "SEARCH('x')" }),
		"no query has the id al":               math(func(a *MetricAlarm) { a.Queries[2].Expression = "al + 1" }),
		"it needs itself":                      math(func(a *MetricAlarm) { a.Queries[2].Expression = "share + all" }),
		"all must be the same":                 math(func(a *MetricAlarm) { a.Queries[0].Period = 5 * time.Minute }),
		"2 queries return data":                math(func(a *MetricAlarm) { a.Queries[0].Hidden = false }),
		"yields 2 series":                      math(func(a *MetricAlarm) { a.Queries[2].Expression = "METRICS()" }),
		"yields a number":                      math(func(a *MetricAlarm) { a.Queries[2].Expression = "SUM(all)" }),
		"starts with a small letter":           math(func(a *MetricAlarm) { a.Queries[0].ID = "Bad" }),
		"the id is there twice":                math(func(a *MetricAlarm) { a.Queries[0].ID = "all" }),
		"its expressions use 11 metrics": math(func(a *MetricAlarm) {
			for i := range 9 {
				a.Queries = append(a.Queries, cloudwatch.DataQuery{ID: fmt.Sprint("m", i), Metric: stat("M", "Sum"), Period: time.Minute, Hidden: true})
			}
		}),
		"must be the ANOMALY_DETECTION_BAND of share": math(func(a *MetricAlarm) { a.Comparison, a.Band = "LessThanLowerThreshold", "all" }),
	} {
		w := newWorld(t)
		if err := w.engine.PutMetric(a); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("the alarm %q", a.Name)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestRefusedComposites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(plain("a", 1, 1, ""))
	for rule, want := range map[string]string{
		"":                       "ends too early",
		"ALARM(a) AND":           "ends too early",
		"ALARM(a) ALARM(a)":      `"ALARM" is left over`,
		"ALARM(a":                "a closing parenthesis is missing",
		"(ALARM(a)":              "a closing parenthesis is missing",
		"ALARM a":                "needs the name of an alarm in parentheses",
		"BROKEN(a)":              `"BROKEN" is not one of ALARM`,
		"ALARM(b)":               `needs "b", which does not exist yet`,
		strings.Repeat("(", 501): "502 elements",
	} {
		if strings.HasPrefix(rule, "((") {
			rule += "TRUE" + strings.Repeat(")", 501)
		}
		if err := w.engine.PutComposite(CompositeAlarm{Name: "c", Rule: rule}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", rule, err)
		}
	}
	var many []string
	for i := range 101 {
		name := fmt.Sprint("n", i)
		w.put(plain(name, 1, 1, ""))
		many = append(many, "OK("+name+")")
	}
	for want, c := range map[string]CompositeAlarm{
		"it has 101 alarms":     {Rule: strings.Join(many, " OR ")},
		"an alarm \"a\" exists": {Name: "a", Rule: "TRUE"},
		"needs a suppressor":    {Rule: "TRUE", Wait: time.Minute},
		"is negative":           {Rule: "TRUE", Suppressor: "a", Wait: -time.Minute},
		`needs "s", which`:      {Rule: "TRUE", Suppressor: "s"},
	} {
		if c.Name == "" {
			c.Name = "c"
		}
		if err := w.engine.PutComposite(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
