package cloudwatch

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"

	"heliograph/simulator/cloudwatch/metricmath"
)

// DataQuery requests a metric, or an expression over the other queries' results, as in GetMetricData and alarms.
type DataQuery struct {
	// ID starts with a lower-case letter. Expressions refer to other queries by it.
	ID string
	// Metric is the metric to read; nil for an expression.
	Metric *MetricStat
	// Expression is metric math over other queries' ids; empty for a metric.
	Expression string
	Label      string
	// Period is that of the metric, or of the expression if no metric determines it.
	Period time.Duration
	// Hidden omits the result: the query only feeds others.
	Hidden bool
}

// Data is a result: a series over consecutive periods.
type Data struct {
	// ID is the query's. If an expression yields several series, all have the same ID.
	ID, Label string
	// Start is when the first period begins, Step how long each lasts, in real time.
	Start time.Time
	Step  time.Duration
	// Values has a value for each period; NaN for none.
	Values []float64
	// Samples are the numbers of values behind a metric's statistic. Expressions have none.
	Samples []float64
	// Hidden is the query's.
	Hidden bool
}

// TimeOf is when the period of a value begins.
func (d Data) TimeOf(i int) time.Time { return d.Start.Add(time.Duration(i) * d.Step) }

// Data answers queries for the aligned periods between two times, hidden ones included, each in its own period.
func (s *Store) Data(queries []DataQuery, start, end time.Time) ([]Data, error) {
	p, err := NewPlan(queries)
	if err != nil {
		return nil, err
	}
	var all []Data
	for _, q := range queries {
		g, err := s.grid(start, end, p.periods[q.ID])
		if err != nil {
			return nil, fmt.Errorf("the query %s: %w", q.ID, err)
		}
		found, err := p.computation(s, g).data(q)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// Plan is a consistent set of queries that can be answered repeatedly.
type Plan struct {
	queries     []DataQuery
	byID        map[string]DataQuery
	expressions map[string]*metricmath.Expression
	periods     map[string]time.Duration
	metrics     []string
}

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// NewPlan checks queries: ids, statistics, periods, syntax, functions, and that no expression depends on itself.
func NewPlan(queries []DataQuery) (*Plan, error) {
	p := &Plan{
		queries: queries, byID: map[string]DataQuery{}, expressions: map[string]*metricmath.Expression{}, periods: map[string]time.Duration{},
	}
	for _, q := range queries {
		if err := p.add(q); err != nil {
			return nil, fmt.Errorf("the query %q: %w", q.ID, err)
		}
	}
	for _, q := range queries {
		if err := p.settle(q.ID, nil); err != nil {
			return nil, fmt.Errorf("the query %q: %w", q.ID, err)
		}
	}
	for _, q := range queries { // whether its parts fit together shows even without a value
		g := Grid{Period: int64(p.periods[q.ID] / time.Second), N: 1}
		if _, err := p.computation(New(Options{}), g).data(q); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// add checks one query by itself; settle checks it together with the others.
func (p *Plan) add(q DataQuery) (err error) {
	_, twice := p.byID[q.ID]
	switch {
	case !queryID.MatchString(q.ID):
		return errors.New("an id starts with a small letter and has letters, digits and underscores only")
	case twice:
		return errors.New("the id is there twice")
	case (q.Metric == nil) == (q.Expression == ""):
		return errors.New("it must have either a metric or an expression")
	case q.Metric != nil:
		p.metrics = append(p.metrics, q.ID)
		if _, _, err = statistic(q.Metric.Stat); err == nil {
			err = CheckPeriod(int64(q.Period / time.Second))
		}
	default:
		p.expressions[q.ID], err = metricmath.Parse(q.Expression)
	}
	p.byID[q.ID] = q
	return err
}

// settle determines the period of a query: that of the metrics it depends on, which must be equal.
func (p *Plan) settle(id string, path []string) error {
	q, known := p.byID[id]
	switch {
	case !known:
		return fmt.Errorf("no query has the id %s", id)
	case slices.Contains(path, id):
		return fmt.Errorf("it needs itself, by way of %v", path)
	case p.periods[id] != 0:
		return nil
	case q.Metric != nil:
		p.periods[id] = q.Period
		return nil
	}
	period := q.Period
	for _, needed := range p.needs(id) {
		if err := p.settle(needed, append(path, id)); err != nil {
			return err
		}
		if period != 0 && period != p.periods[needed] {
			return fmt.Errorf("it needs %s, whose period is %v and not %v; all must be the same", needed, p.periods[needed], period)
		}
		period = p.periods[needed]
	}
	if period == 0 {
		return errors.New("nothing tells its period")
	}
	p.periods[id] = period
	return nil
}

// needs are the queries that an expression refers to.
func (p *Plan) needs(id string) []string {
	ids := p.expressions[id].References()
	if p.expressions[id].Calls("METRICS") {
		ids = append(ids, p.metrics...)
	}
	return ids
}

// Queries returns the queries, in their order.
func (p *Plan) Queries() []DataQuery { return p.queries }

// Period returns the period of a query.
func (p *Plan) Period(id string) time.Duration { return p.periods[id] }

// Banded returns the metric around which an expression draws an anomaly band.
func (p *Plan) Banded(id string) (metric string, ok bool) {
	e := p.expressions[id]
	if e == nil || !e.Calls("ANOMALY_DETECTION_BAND") {
		return "", false
	}
	return e.References()[0], true
}

// On answers all queries on one grid, hidden ones included.
func (p *Plan) On(s *Store, g Grid) ([]Data, error) {
	c := p.computation(s, g)
	var all []Data
	for _, q := range p.queries {
		found, err := c.data(q)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// computation answers queries on one grid, each once.
type computation struct {
	*Plan
	store   *Store
	grid    Grid
	done    map[string]metricmath.Value
	samples map[string][]float64
}

func (p *Plan) computation(s *Store, g Grid) *computation {
	return &computation{Plan: p, store: s, grid: g, done: map[string]metricmath.Value{}, samples: map[string][]float64{}}
}

// data returns a query's result, labelled by series if there are several.
func (c *computation) data(q DataQuery) ([]Data, error) {
	v, err := c.value(q.ID)
	if err != nil {
		return nil, fmt.Errorf("the query %s: %w", q.ID, err)
	}
	rows, err := v.Rows()
	if err != nil {
		return nil, fmt.Errorf("the query %s: %w", q.ID, err)
	}
	step := c.store.Real(time.Duration(c.grid.Period) * time.Second)
	var all []Data
	for _, r := range rows {
		d := Data{ID: q.ID, Label: q.label(), Start: c.store.Time(c.grid.Start), Step: step, Values: r.Values, Samples: c.samples[q.ID], Hidden: q.Hidden}
		if !v.Single() {
			d.Label += " " + r.Label
		}
		all = append(all, d)
	}
	return all, nil
}

// label is the query's name in a graph.
func (q DataQuery) label() string {
	switch {
	case q.Label != "":
		return q.Label
	case q.Metric != nil:
		return q.Metric.Name
	}
	return q.ID
}

// value computes a query once.
func (c *computation) value(id string) (metricmath.Value, error) {
	if v, ok := c.done[id]; ok {
		return v, nil
	}
	v, err := c.compute(c.byID[id])
	if err == nil {
		c.done[id] = v
	}
	return v, err
}

func (c *computation) compute(q DataQuery) (metricmath.Value, error) {
	if q.Metric == nil {
		return c.expressions[q.ID].Eval(metricmath.Env{
			Start: c.grid.Start, Period: c.grid.Period, N: c.grid.N, Value: c.value, Metrics: c.metrics, Band: c.band,
		})
	}
	row, err := c.store.row(*q.Metric, c.grid)
	c.samples[q.ID] = row.samples
	return metricmath.Series(q.label(), row.values), err
}

// Anomaly bands are learned from the day before each value, and from no fewer values than these.
const (
	learned      = 24 * 60 * 60
	leastLearned = 15
)

// band approximates ANOMALY_DETECTION_BAND: around the mean of the day before each value, it extends the requested
// number of standard deviations to either side. CloudWatch learns from two weeks, and takes hours and weekdays into
// account. A deviation counts as at least 5 % of the mean, and as 1 for whole numbers: nothing is unusual about the
// second connection of a quiet night.
func (c *computation) band(id string, width float64) (upper, lower []float64, err error) {
	before := learned / int(c.grid.Period)
	g := Grid{Start: c.grid.Start - int64(before)*c.grid.Period, Period: c.grid.Period, N: before + c.grid.N}
	data, err := c.computation(c.store, g).data(c.byID[id])
	if err != nil {
		return nil, nil, err
	}
	values := data[0].Values
	upper, lower = make([]float64, c.grid.N), make([]float64, c.grid.N)
	var past usual
	for i := range values {
		if at := i - before; at >= 0 {
			if at > 0 {
				past.add(values[at-1], -1) // a day old by now
			}
			mean, deviation := past.band()
			upper[at], lower[at] = mean+width*deviation, mean-width*deviation
		}
		past.add(values[i], 1)
	}
	return upper, lower, nil
}

// usual accumulates values, to determine what is usual.
type usual struct{ n, sum, squares, fractions float64 }

// add adds a value (1) or removes it (-1); a missing one is ignored.
func (u *usual) add(v, sign float64) {
	if math.IsNaN(v) {
		return
	}
	u.n += sign
	u.sum += sign * v
	u.squares += sign * v * v
	if v != math.Trunc(v) {
		u.fractions += sign
	}
}

func (u *usual) band() (mean, deviation float64) {
	if u.n < leastLearned {
		return math.NaN(), math.NaN()
	}
	mean = u.sum / u.n
	deviation = max(math.Sqrt(max(0, u.squares/u.n-mean*mean)), 0.05*math.Abs(mean))
	if u.fractions == 0 {
		deviation = max(deviation, 1)
	}
	return mean, deviation
}
