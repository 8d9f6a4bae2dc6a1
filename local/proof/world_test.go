// Package proof proves, in fake time, that each deployed alarm fires on its cause and ends with it, and that healthy
// traffic never pages. It consists of tests only: proofs_test.go is the table of causes, traffic_test.go generates the
// values that functions and AWS emit in a minute.
package proof

import (
	"archive/zip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
	"heliograph/infra/build"
	"heliograph/infra/stack"
	"heliograph/simulator/cloud"
	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/provider"
)

// prefix starts the physical names of the stack's resources.
const prefix = "heliograph-local-"

// deployment is the declared part of the stack: its alarms, the metrics that they watch, and the functions' timeouts.
type deployment struct {
	alarms   map[string]alarm.Alarm           // by the name without the prefix
	series   map[string]cloudwatch.MetricStat // by label
	timeouts map[string]time.Duration         // by the functions' short names
}

// deployed runs the program once, on a cloud that never starts, with functions that are never invoked.
var deployed = sync.OnceValues(func() (*deployment, error) {
	folder, err := os.MkdirTemp("", "heliograph-proof-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	functions, err := empty(folder)
	if err != nil {
		return nil, err
	}
	c, err := cloud.New(cloud.Options{FunctionsDir: folder})
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	as := provider.Stack{Project: "heliograph", Name: "local", Config: map[string]string{
		"heliograph:alarmTopicArn": c.ARN("sns", "pages"), "heliograph:ticketTopicArn": c.ARN("sns", "tickets"),
	}}
	if err := provider.Run(c, as, func(engine *pulumi.Context) error {
		config, err := stack.LoadLocalConfig(engine)
		if err != nil {
			return err
		}
		_, err = stack.Deploy(engine, config, functions)
		return err
	}); err != nil {
		return nil, err
	}
	return read(c)
})

// empty returns functions without code.
func empty(folder string) (build.Functions, error) {
	path := filepath.Join(folder, "function.zip")
	file, err := os.Create(path)
	if err != nil {
		return build.Functions{}, err
	}
	archive := zip.NewWriter(file)
	bootstrap := &zip.FileHeader{Name: "bootstrap"}
	bootstrap.SetMode(0o755)
	if _, err := archive.CreateHeader(bootstrap); err != nil {
		return build.Functions{}, err
	}
	if err := archive.Close(); err != nil {
		return build.Functions{}, err
	}
	functions := build.Functions{Architecture: "arm64", Artifacts: map[string]build.Artifact{}}
	for _, name := range heliograph.Functions() {
		functions.Artifacts[name] = build.Artifact{Binary: path, Archive: path}
	}
	return functions, file.Close()
}

func read(c *cloud.Cloud) (*deployment, error) {
	d := &deployment{alarms: map[string]alarm.Alarm{}, series: map[string]cloudwatch.MetricStat{}, timeouts: map[string]time.Duration{}}
	for _, a := range c.Alarms.Alarms() {
		d.alarms[strings.TrimPrefix(a.Name, prefix)] = a
		for _, m := range watched(a) {
			known, twice := d.series[label(m)]
			if twice && fmt.Sprint(known.Namespace, known.Dimensions) != fmt.Sprint(m.Namespace, m.Dimensions) {
				return nil, fmt.Errorf("%v and %v have the same label %q", known, m, label(m))
			}
			d.series[label(m)] = m
		}
	}
	for _, f := range c.Functions.Functions() {
		d.timeouts[strings.TrimPrefix(string(f.Name), prefix)] = f.Timeout
	}
	return d, nil
}

// watched returns the metrics that an alarm reads. A composite reads none.
func watched(a alarm.Alarm) (all []cloudwatch.MetricStat) {
	if a.Metric == nil {
		return nil
	}
	if a.Metric.Metric != nil {
		return []cloudwatch.MetricStat{*a.Metric.Metric}
	}
	for _, q := range a.Metric.Queries {
		if q.Metric != nil {
			all = append(all, *q.Metric)
		}
	}
	return all
}

// label names a metric briefly: its name and the dimensions that distinguish it, without those that all metrics share.
func label(m cloudwatch.MetricStat) string {
	words := []string{m.Name}
	for _, d := range m.Dimensions {
		if d.Name != "Stage" && d.Name != "ApiId" && d.Name != "TableName" {
			words = append(words, strings.TrimPrefix(strings.TrimPrefix(d.Value, "/aws/lambda/"), prefix))
		}
	}
	return strings.Join(words, " ")
}

// world holds some of the alarms, live, and a clock that advances only by minutes.
type world struct {
	t       testing.TB
	now     time.Time
	store   *cloudwatch.Store
	engine  *alarm.Engine
	watched map[string]cloudwatch.MetricStat // by label
	told    []string                         // "<topic> <state> <alarm>" of each notification
}

// newWorld makes the named alarms live, with the children and suppressors that they need; without a name, all alarms.
func newWorld(t testing.TB, d *deployment, names ...string) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), watched: map[string]cloudwatch.MetricStat{}}
	w.store = cloudwatch.New(cloudwatch.Options{Now: func() time.Time { return w.now }})
	w.engine = alarm.New(w.store, alarm.Options{Region: "eu-west-1", Account: "000000000000", Notify: w.notify})
	if len(names) == 0 {
		for name := range d.alarms {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		w.put(d, name)
	}
	return w
}

// put makes an alarm live, after the alarms that it needs.
func (w *world) put(d *deployment, name string) {
	w.t.Helper()
	a, known := d.alarms[name]
	if !known {
		w.t.Fatalf("the program declares no alarm %s", name)
	}
	if _, there := w.engine.Alarm(a.Name); there {
		return
	}
	for _, needed := range needs(a) {
		w.put(d, needed)
	}
	var err error
	if a.Metric != nil {
		err = w.engine.PutMetric(*a.Metric)
	} else {
		err = w.engine.PutComposite(*a.Composite)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range watched(a) {
		w.watched[label(m)] = m
	}
}

// needs returns the alarms that a composite depends on.
func needs(a alarm.Alarm) (names []string) {
	for _, child := range a.Children {
		names = append(names, strings.TrimPrefix(child, prefix))
	}
	if a.Composite != nil && a.Composite.Suppressor != "" {
		names = append(names, strings.TrimPrefix(a.Composite.Suppressor, prefix))
	}
	return names
}

func (w *world) notify(_ context.Context, topicARN string, n alarm.Notification) error {
	topic := topicARN[strings.LastIndex(topicARN, ":")+1:]
	state, rest, _ := strings.Cut(n.Subject, `: "`+prefix)
	name, _, _ := strings.Cut(rest, `"`)
	w.told = append(w.told, topic+" "+state+" "+name)
	return nil
}

// feed lets a minute with these values pass.
func (w *world) feed(m minute) {
	for name, values := range m {
		metric, ok := w.watched[name]
		for _, v := range values {
			if !ok {
				break
			}
			if err := w.store.PutMetric(cloudwatch.Datum{
				Namespace: metric.Namespace, Name: metric.Name, Dimensions: metric.Dimensions, Value: v, Time: w.now.Add(30 * time.Second),
			}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.now = w.now.Add(time.Minute)
}

// pass lets a minute pass and evaluates the alarms at its end.
func (w *world) pass(m minute) {
	w.feed(m)
	w.engine.Evaluate(context.Background(), w.now)
}

func (w *world) alarm(name string) alarm.Alarm {
	w.t.Helper()
	a, ok := w.engine.Alarm(prefix + name)
	if !ok {
		w.t.Fatalf("there is no alarm %s", name)
	}
	return a
}

// until lets minutes pass until an alarm reaches a state, up to a limit. It reports whether the alarm reached it.
func (w *world) until(name string, state alarm.State, limit time.Duration, next func() minute) bool {
	w.t.Helper()
	for end := w.now.Add(limit); w.now.Before(end); {
		w.pass(next())
		if w.alarm(name).State == state {
			return true
		}
	}
	return false
}
