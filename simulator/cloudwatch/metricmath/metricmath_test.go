package metricmath

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Values are written as in AWS's tables: numbers, and - for a missing value.
func parse(text string) []float64 {
	var values []float64
	for _, word := range strings.Fields(strings.ReplaceAll(text, ",", " ")) {
		v := math.NaN()
		if word != "-" {
			if _, err := fmt.Sscan(word, &v); err != nil {
				panic(err)
			}
		}
		values = append(values, v)
	}
	return values
}

// env has periods of a minute from 2026-11-27 10:58:00 UTC, a Friday.
func env(series map[string]string) Env {
	e := Env{Start: 1795777080, Period: 60, Metrics: nil}
	for id, text := range series {
		e.Metrics, e.N = append(e.Metrics, id), len(parse(text))
	}
	slices.Sort(e.Metrics)
	e.Value = func(id string) (Value, error) {
		text, ok := series[id]
		if !ok {
			return Value{}, fmt.Errorf("no query has the id %s", id)
		}
		return Series(id, parse(text)), nil
	}
	e.Band = func(string, float64) (upper, lower []float64, err error) {
		return constant(9, e.N), constant(1, e.N), nil
	}
	return e
}

func eval(source string, e Env) ([]Row, error) {
	expression, err := Parse(source)
	if err != nil {
		return nil, err
	}
	v, err := expression.Eval(e)
	if err != nil {
		return nil, err
	}
	return v.Rows()
}

// TestDocumented proves that expressions evaluate as in the documentation's examples, and as its prose says.
func TestDocumented(t *testing.T) {
	t.Parallel()
	compared := map[string]string{"metric1": "30 20 0 0", "metric2": "20 - 20 -"}
	chosen := map[string]string{"metric1": "1 1 0 0 -", "metric2": "30 - 0 0 30", "metric3": "0 0 20 - 20"}
	gaps := map[string]string{"a": "- 1 - - 7 -", "b": "4 - 2 - 0 -", "none": "- - - - - -"}
	for source, tt := range map[string]struct {
		series map[string]string
		want   string
	}{
		"metric1 < metric2":                      {compared, "0 0 1 0"},
		"metric1 >= 30":                          {compared, "1 0 0 0"},
		"metric1 > 15 AND metric2 > 15":          {compared, "1 0 0 0"},
		"metric1 > 15 && metric2 > 15":           {compared, "1 0 0 0"},
		"metric1 > 15 OR metric2 > 15":           {compared, "1 1 1 0"},
		"metric1 > 15 || metric2 > 15":           {compared, "1 1 1 0"},
		"IF(metric1, metric2, metric3)":          {chosen, "30 0 20 - -"},
		"IF(metric1, 5, metric3)":                {chosen, "5 5 20 - -"},
		"IF(metric1, metric2, 5)":                {chosen, "30 0 5 5 -"},
		"IF(metric1, metric2)":                   {chosen, "30 0 - - -"},
		"IF(metric1 == 1, 7)":                    {chosen, "7 7 - - -"},
		"IF(1, metric2, metric3)":                {chosen, "30 - 0 0 30"},
		"IF(0, metric2, metric3)":                {chosen, "0 0 20 - 20"},
		"a + b":                                  {gaps, "4 1 2 - 7 -"},
		"a - b":                                  {gaps, "-4 1 -2 - 7 -"},
		"b / a":                                  {gaps, "- 0 - - 0 -"}, // divided by zero: dropped
		"-a":                                     {gaps, "- -1 - - -7 -"},
		"2 * a ^ 2 - 1":                          {gaps, "- 1 - - 97 -"},
		"(a + 1) * 2":                            {gaps, "- 4 - - 16 -"},
		"10 - a - 1":                             {gaps, "- 8 - - 2 -"},
		"FILL(a, 0)":                             {gaps, "0 1 0 0 7 0"},
		"FILL(none, 3)":                          {gaps, "3 3 3 3 3 3"},
		"FILL(a, b)":                             {gaps, "4 1 2 - 7 -"},
		"FILL(a, REPEAT)":                        {gaps, "- 1 1 1 7 7"},
		"FILL(a, LINEAR)":                        {gaps, "- 1 3 5 7 -"},
		"DIFF(a)":                                {gaps, "- - - - 6 -"},
		"DIFF_TIME(a)":                           {gaps, "- - - - 180 -"},
		"RATE(a)":                                {gaps, "- - - - 0.03333333333333333 -"},
		"ABS(-a)":                                {gaps, "- 1 - - 7 -"},
		"CEIL(a / 2) + FLOOR(a / 2)":             {gaps, "- 1 - - 7 -"},
		"LOG10(a * 100) + LOG(a / a)":            {gaps, "- 2 - - 2.845098040014257 -"},
		"LOG10(b * 0)":                           {gaps, "- - - - - -"},
		"RUNNING_SUM(b)":                         {gaps, "4 - 6 - 6 -"},
		"SUM([a, b])":                            {gaps, "4 1 2 - 7 -"},
		"SUM(METRICS())":                         {gaps, "4 1 2 - 7 -"},
		`SUM(METRICS("b"))`:                      {gaps, "4 - 2 - 0 -"},
		"SUM([METRICS('a'), METRICS('b')])":      {gaps, "4 1 2 - 7 -"},
		"AVG([a, b])":                            {gaps, "2 0.5 1 - 3.5 -"}, // missing values count as 0
		"MAX([a, b])":                            {gaps, "4 1 2 - 7 -"},
		"MIN([a, b])":                            {gaps, "4 1 2 - 0 -"},
		"STDDEV([a, b])":                         {gaps, "0 0 0 - 3.5 -"},
		"DATAPOINT_COUNT([a, b])":                {gaps, "1 1 1 - 2 -"},
		"a * SUM(a)":                             {gaps, "- 8 - - 56 -"},
		"a * MAX(a)":                             {gaps, "- 7 - - 49 -"},
		"a / METRIC_COUNT(METRICS())":            {gaps, "- 0.3333333333333333 - - 2.3333333333333335 -"},
		"b / PERIOD(b)":                          {gaps, "0.06666666666666667 - 0.03333333333333333 - 0 -"},
		"TIME_SERIES(4)":                         {gaps, "4 4 4 4 4 4"},
		"SUM(100 / [a, b])":                      {gaps, "25 100 50 - 14.285714285714286 -"},
		"AVG([a, b] * 2)":                        {gaps, "4 1 2 - 7 -"},
		"SUM(-[a, b])":                           {gaps, "-4 -1 -2 - -7 -"},
		"FIRST([a, b])":                          {gaps, "- 1 - - 7 -"},
		"LAST(ANOMALY_DETECTION_BAND(a, 3))":     {gaps, "1 1 1 1 1 1"},
		"FIRST(ANOMALY_DETECTION_BAND(a))":       {gaps, "9 9 9 9 9 9"},
		"MINUTE(a)":                              {gaps, "58 59 0 1 2 3"},
		"HOUR(a)":                                {gaps, "10 10 11 11 11 11"},
		"DAY(a) + 100*DATE(a)":                   {gaps, "2705 2705 2705 2705 2705 2705"},
		"YEAR(a) + MONTH(a)":                     {gaps, "2037 2037 2037 2037 2037 2037"},
		"EPOCH(a)":                               {gaps, "1795777080 1795777140 1795777200 1795777260 1795777320 1795777380"},
		"IF(FILL(a,0) >= 1, 100*FILL(b,0)/a, 0)": {gaps, "0 0 0 0 0 0"},
		"1 + a > 1 AND b != 3 OR none == 1":      {gaps, "0 0 0 - 1 -"},
		"IF(b-DIFF(b)>=4,-100*DIFF(b)/(b-DIFF(b)),0)": {gaps, "0 - 50 - 0 -"},
	} {
		got, err := eval(source, env(tt.series))
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if diff := cmp.Diff(parse(tt.want), got[0].Values, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("%s: %s", source, diff)
		}
	}
}

func TestArrays(t *testing.T) {
	t.Parallel()
	e := env(map[string]string{"a": "1 -", "b": "2 3"})
	got, err := eval("METRICS() * 10", e)
	want := []Row{{"a", parse("10 -")}, {"b", parse("20 30")}}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	e := env(map[string]string{"a": "1 2"})
	for source, want := range map[string]string{
		"":                            "ends too early",
		"a +":                         "ends too early",
		"a b":                         `"b" is left over`,
		"(a":                          `")" is missing`,
		"a @ 2":                       `can't be read from "@ 2"`,
		"SEARCH('x', 'Sum', 60)":      "the function SEARCH is not simulated",
		"sum(a)":                      `"(" is left over`,
		"A + 1":                       `"A" is no id`,
		"FILL(a)":                     "FILL takes 2 to 2 arguments, not 1",
		"unknown + 1":                 "no query has the id unknown",
		"SUM(a)":                      "the expression yields a number",
		"1 + 1":                       "the expression yields a number",
		"[1, a]":                      "an array holds time series, not a number",
		"[a, a] + [a, a]":             "two arrays can't be combined",
		"IF([a, a], 1, 0)":            "an array of time series",
		"IF(1, 2, 3)":                 "must be a time series",
		"ABS(2) + a":                  "ABS: its argument is a number",
		"PERIOD(a + 1) * a":           "must be the id of a metric",
		"FILL(a, [a, a])":             "it fills with a number",
		"REPEAT + a":                  "a word is no operand",
		"TIME_SERIES(a)":              "must be a number",
		"FIRST(a)":                    "must be an array",
		"ANOMALY_DETECTION_BAND(a+1)": "must be the id",
		"ANOMALY_DETECTION_BAND(a,0)": "width must be a number above 0",
		"METRICS(a)":                  "must be a text",
		`"x" + a`:                     "a word is no operand",
	} {
		if got, err := eval(source, e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", source, got, err, want)
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	e, err := Parse("IF(b > 1, SUM([a, c]), FILL(b, 0))")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(e.References()); got != "[a b c]" || !e.Calls("FILL") || e.Calls("METRICS") {
		t.Errorf("%s, %v, %v", got, e.Calls("FILL"), e.Calls("METRICS"))
	}
}
