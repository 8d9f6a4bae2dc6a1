package metricmath

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// function is one of metric math's functions. n is the call; args are its arguments' values.
type function struct {
	least, most int
	do          func(env Env, n node, args []Value) (Value, error)
}

// words are options of functions.
var words = []string{"REPEAT", "LINEAR"}

// functions are the simulated functions. An expression with any other is refused.
var functions map[string]function

func init() { // in init, to break the cycle from a function to the evaluation of its arguments
	functions = map[string]function{
		"ABS": values(math.Abs), "CEIL": values(math.Ceil), "FLOOR": values(math.Floor),
		"LOG": values(math.Log), "LOG10": values(math.Log10),
		"SUM": reduction(sum), "AVG": reduction(average), "MIN": reduction(least), "MAX": reduction(most),
		"STDDEV": reduction(deviation), "DATAPOINT_COUNT": reduction(count),
		"DIFF": steps(func(by, _ float64) float64 { return by }), "RATE": steps(func(by, seconds float64) float64 { return by / seconds }),
		"DIFF_TIME": steps(func(_, seconds float64) float64 { return seconds }), "RUNNING_SUM": {1, 1, runningSum},
		"FILL": {2, 2, fill}, "IF": {2, 3, choose}, "METRICS": {0, 1, metrics}, "METRIC_COUNT": {1, 1, metricCount},
		"PERIOD": {1, 1, period}, "TIME_SERIES": {1, 1, timeSeries}, "FIRST": {1, 1, first}, "LAST": {1, 1, last},
		"ANOMALY_DETECTION_BAND": {1, 2, band},
		"MINUTE":                 moments(func(t time.Time) int { return t.Minute() }), "HOUR": moments(func(t time.Time) int { return t.Hour() }),
		"DAY":  moments(func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }), // Monday is 1
		"DATE": moments(func(t time.Time) int { return t.Day() }), "MONTH": moments(func(t time.Time) int { return int(t.Month()) }),
		"YEAR": moments(func(t time.Time) int { return t.Year() }), "EPOCH": moments(func(t time.Time) int { return int(t.Unix()) }),
	}
}

func (env Env) call(n node) (Value, error) {
	args, err := env.all(n.kids)
	if err != nil {
		return Value{}, err
	}
	v, err := functions[n.text].do(env, n, args)
	if err != nil {
		return Value{}, fmt.Errorf("%s: %w", n.text, err)
	}
	return v, nil
}

// needRows returns an error unless a value is a series or an array.
func needRows(v Value) error {
	if v.kind == series || v.kind == array {
		return nil
	}
	return fmt.Errorf("its argument is %v; it must be a time series or an array", v.kind)
}

// mapped makes a function that maps each series to a series.
func mapped(f func(env Env, row []float64) []float64) function {
	return function{1, 1, func(env Env, _ node, args []Value) (Value, error) {
		if err := needRows(args[0]); err != nil {
			return Value{}, err
		}
		return args[0].each(func(row []float64) []float64 { return f(env, row) }), nil
	}}
}

// values makes a function of each value.
func values(f func(float64) float64) function {
	return mapped(func(_ Env, row []float64) []float64 {
		out := make([]float64, len(row))
		for i, v := range row {
			if out[i] = f(v); math.IsInf(out[i], 0) { // LOG(0)
				out[i] = math.NaN()
			}
		}
		return out
	})
}

// steps makes a function of the step from a value to the next: by how much, in how many seconds. The first value has no
// predecessor.
func steps(f func(by, seconds float64) float64) function {
	return mapped(func(env Env, row []float64) []float64 {
		out, last := constant(math.NaN(), len(row)), -1
		for i, v := range row {
			if math.IsNaN(v) {
				continue
			}
			if last >= 0 {
				out[i] = f(v-row[last], float64(int64(i-last)*env.Period))
			}
			last = i
		}
		return out
	})
}

// moments makes a function of the time at which each period begins.
func moments(f func(time.Time) int) function {
	return mapped(func(env Env, row []float64) []float64 {
		out := make([]float64, len(row))
		for i := range out {
			out[i] = float64(f(time.Unix(env.Start+int64(i)*env.Period, 0).UTC()))
		}
		return out
	})
}

// reduction makes a function that reduces a series to a number, and an array to a series. f gets the present values, at
// least one, and the number of periods.
func reduction(f func(present []float64, all int) float64) function {
	return function{1, 1, func(env Env, _ node, args []Value) (Value, error) {
		if err := needRows(args[0]); err != nil {
			return Value{}, err
		}
		rows := args[0].rows
		if args[0].kind == series {
			return Value{kind: scalar, number: reduce(f, rows[0].Values)}, nil
		}
		out, column := make([]float64, env.N), make([]float64, len(rows))
		for i := range out {
			for j, r := range rows {
				column[j] = r.Values[i]
			}
			out[i] = reduce(f, column)
		}
		return Series("", out), nil
	}}
}

// reduce returns NaN for no value at all, which is dropped wherever it is used.
func reduce(f func(present []float64, all int) float64, all []float64) float64 {
	present := slices.DeleteFunc(slices.Clone(all), math.IsNaN)
	if len(present) == 0 {
		return math.NaN()
	}
	return f(present, len(all))
}

func sum(present []float64, _ int) (total float64) {
	for _, v := range present {
		total += v
	}
	return total
}

// average counts missing values as 0, as AWS documents it.
func average(present []float64, all int) float64 { return sum(present, all) / float64(all) }

func least(present []float64, _ int) float64 { return slices.Min(present) }
func most(present []float64, _ int) float64  { return slices.Max(present) }
func count(present []float64, _ int) float64 { return float64(len(present)) }

func deviation(present []float64, _ int) float64 {
	n, mean, squares := float64(len(present)), sum(present, 0)/float64(len(present)), 0.0
	for _, v := range present {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / n)
}

func runningSum(_ Env, _ node, args []Value) (Value, error) {
	if err := needRows(args[0]); err != nil {
		return Value{}, err
	}
	return args[0].each(func(row []float64) []float64 {
		out, total := slices.Clone(row), 0.0
		for i, v := range row {
			if !math.IsNaN(v) {
				total += v
				out[i] = total
			}
		}
		return out
	}), nil
}

// fill replaces missing values by a number, another series' values, the last value or a straight line.
func fill(env Env, _ node, args []Value) (Value, error) {
	if err := needRows(args[0]); err != nil {
		return Value{}, err
	}
	var with func(row []float64) []float64
	switch by := args[1]; {
	case by.kind == scalar, by.kind == series:
		filler := by.row(env.N)
		with = func(row []float64) []float64 {
			out := slices.Clone(row)
			for i, v := range out {
				if math.IsNaN(v) {
					out[i] = filler[i]
				}
			}
			return out
		}
	case by.text == "REPEAT":
		with = func(row []float64) []float64 { return between(row, func(a, _, _ float64) float64 { return a }) }
	case by.text == "LINEAR":
		with = func(row []float64) []float64 {
			return between(row, func(a, b, part float64) float64 { return a + (b-a)*part })
		}
	default:
		return Value{}, errors.New("it fills with a number, a time series, REPEAT or LINEAR")
	}
	return args[0].each(with), nil
}

// between fills the gaps from the values on both sides; part is the relative distance of a gap's period from the left
// one. A gap at the beginning stays missing, and so does the end of a line without a right end.
func between(row []float64, f func(a, b, part float64) float64) []float64 {
	out, last := slices.Clone(row), -1
	for i := range row {
		if !math.IsNaN(row[i]) {
			last = i
			continue
		}
		if last < 0 {
			continue
		}
		next := i
		for next < len(row) && math.IsNaN(row[next]) {
			next++
		}
		b := math.NaN()
		if next < len(row) {
			b = row[next]
		}
		out[i] = f(row[last], b, float64(i-last)/float64(next-last))
	}
	return out
}

// choose is IF. A missing condition drops the value; a missing value of the true branch counts as 0.
func choose(env Env, _ node, args []Value) (Value, error) {
	if len(args) == 2 {
		args = append(args, Value{kind: scalar, number: math.NaN()})
	}
	for _, a := range args {
		if a.kind != scalar && a.kind != series {
			return Value{}, fmt.Errorf("an argument is %v; it must be a time series or a number", a.kind)
		}
	}
	condition, yes, no := args[0], args[1], args[2]
	if condition.kind == scalar {
		if yes.kind == scalar && no.kind == scalar {
			return Value{}, errors.New("one of its arguments must be a time series")
		}
		if condition.number != 0 {
			return Series("", yes.row(env.N)), nil
		}
		return Series("", no.row(env.N)), nil
	}
	out, a, b := make([]float64, env.N), yes.row(env.N), no.row(env.N)
	for i, c := range condition.rows[0].Values {
		switch {
		case math.IsNaN(c):
			out[i] = c
		case c == 0:
			out[i] = b[i]
		case math.IsNaN(a[i]):
			out[i] = 0
		default:
			out[i] = a[i]
		}
	}
	return Series("", out), nil
}

// metrics returns all metrics, or those whose id contains a text.
func metrics(env Env, _ node, args []Value) (Value, error) {
	all := Value{kind: array}
	if len(args) == 1 && args[0].kind != text {
		return Value{}, fmt.Errorf("its argument is %v; it must be a text", args[0].kind)
	}
	for _, id := range env.Metrics {
		if len(args) == 1 && !strings.Contains(id, args[0].text) {
			continue
		}
		v, err := env.Value(id)
		if err != nil {
			return Value{}, err
		}
		all.rows = append(all.rows, v.rows...)
	}
	return all, nil
}

func metricCount(_ Env, _ node, args []Value) (Value, error) {
	return Value{kind: scalar, number: float64(len(args[0].rows))}, needRows(args[0])
}

// period returns the period of a metric; CloudWatch accepts no expression here.
func period(env Env, n node, _ []Value) (Value, error) {
	if !slices.Contains(env.Metrics, n.kids[0].text) {
		return Value{}, errors.New("its argument must be the id of a metric")
	}
	return Value{kind: scalar, number: float64(env.Period)}, nil
}

func timeSeries(env Env, _ node, args []Value) (Value, error) {
	if args[0].kind != scalar {
		return Value{}, fmt.Errorf("its argument is %v; it must be a number", args[0].kind)
	}
	return Series("", args[0].row(env.N)), nil
}

func first(_ Env, _ node, args []Value) (Value, error) {
	return pick(args[0], func(rows []Row) Row { return rows[0] })
}

func last(_ Env, _ node, args []Value) (Value, error) {
	return pick(args[0], func(rows []Row) Row { return rows[len(rows)-1] })
}

func pick(from Value, which func([]Row) Row) (Value, error) {
	if from.kind != array || len(from.rows) == 0 {
		return Value{}, errors.New("its argument must be an array of time series")
	}
	return Value{kind: series, rows: []Row{which(from.rows)}}, nil
}

// band returns the upper and the lower limit, in this order: its FIRST is the upper one.
func band(env Env, n node, args []Value) (Value, error) {
	width := 2.0
	switch {
	case n.kids[0].op != opID || args[0].kind != series:
		return Value{}, errors.New("its first argument must be the id of a time series")
	case len(args) == 2 && (args[1].kind != scalar || !(args[1].number > 0)):
		return Value{}, errors.New("its width must be a number above 0")
	case len(args) == 2:
		width = args[1].number
	}
	upper, lower, err := env.Band(n.kids[0].text, width)
	if err != nil {
		return Value{}, err
	}
	return Value{kind: array, rows: []Row{{"upper", upper}, {"lower", lower}}}, nil
}
