package cloudwatch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// line is an EMF line of one metric, with optional replacements.
func line(replace ...string) string {
	l := fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"Heliograph","Dimensions":[["Stage"],["Stage","Function"]],"Metrics":[{"Name":"Posts","Unit":"Count"}]}]},"Stage":"dev","Function":"send","Posts":3,"connectionId":"x"}`, now.UnixMilli())
	return strings.NewReplacer(replace...).Replace(l)
}

func TestReadEMF(t *testing.T) {
	t.Parallel()
	stage := []Dimension{{"Stage", "dev"}}
	both := []Dimension{{"Stage", "dev"}, {"Function", "send"}}
	datum := func(dims []Dimension, unit string, v float64) Datum {
		return Datum{Namespace: "Heliograph", Name: "Posts", Dimensions: dims, Unit: unit, Value: v, Time: now}
	}
	for name, tt := range map[string]struct {
		line string
		want []Datum
	}{
		"one value":          {line(), []Datum{datum(stage, "Count", 3), datum(both, "Count", 3)}},
		"several values":     {line(`"Posts":3`, `"Posts":[1,2.5]`), []Datum{datum(stage, "Count", 1), datum(stage, "Count", 2.5), datum(both, "Count", 1), datum(both, "Count", 2.5)}},
		"no unit":            {line(`,"Unit":"Count"`, ``, `,["Stage","Function"]`, ``), []Datum{datum(stage, "None", 3)}},
		"resolution":         {line(`"Unit":"Count"`, `"Unit":"Count","StorageResolution":1`, `,["Stage","Function"]`, ``), []Datum{highResolution(datum(stage, "Count", 3))}},
		"no dimensions":      {line(`["Stage"],["Stage","Function"]`, `[]`), []Datum{datum(nil, "Count", 3)}},
		"plain text":         {"START RequestId: 1", nil},
		"JSON without _aws":  {`{"level":"INFO","msg":"hello"}`, nil},
		"_aws in a text":     {`{"msg":"\"_aws\""}`, nil},
		"_aws further below": {`{"msg":{"_aws":1}}`, nil},
		"no metrics at all":  {line(`[{"Namespace":"Heliograph","Dimensions":[["Stage"],["Stage","Function"]],"Metrics":[{"Name":"Posts","Unit":"Count"}]}]`, `[]`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, failure := readEMF(tt.line, now)
			if failure != nil {
				t.Fatal(failure)
			}
			for i := range got { // UnixMilli returns the local zone
				got[i].Time = got[i].Time.UTC()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestReadEMFRefuses proves that one invalid part invalidates the line, and that CloudWatch's own metrics count it.
func TestReadEMFRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1025)
	var dims, sets []string
	for i := range 31 {
		dims = append(dims, fmt.Sprintf("%q:%q", fmt.Sprint("d", i), "v"))
		sets = append(sets, fmt.Sprintf("%q", fmt.Sprint("d", i)))
	}
	for name, tt := range map[string]struct{ line, metric, says string }{
		"no JSON":               {line(`"Posts":3`, `"Posts":NaN`), "EMFParsingErrors", "no JSON"},
		"text behind":           {line() + "x", "EMFParsingErrors", "no JSON"},
		"a name twice":          {line(`"Posts":3`, `"Posts":3,"Posts":4`), "EMFParsingErrors", `"Posts" is there twice`},
		"no Timestamp":          {line(`"Timestamp"`, `"Time"`), "EMFValidationErrors", "no Timestamp"},
		"fraction of a time":    {line(`000,"Cloud`, `000.5,"Cloud`), "EMFValidationErrors", "_aws"},
		"text as a time":        {line(fmt.Sprint(now.UnixMilli()), `"now"`), "EMFValidationErrors", "_aws"},
		"too old":               {line(fmt.Sprint(now.UnixMilli()), fmt.Sprint(now.Add(-14*24*time.Hour-time.Second).UnixMilli())), "EMFValidationErrors", "14 days"},
		"in the future":         {line(fmt.Sprint(now.UnixMilli()), fmt.Sprint(now.Add(2*time.Hour+time.Second).UnixMilli())), "EMFValidationErrors", "14 days"},
		"no directives":         {line(`"CloudWatchMetrics"`, `"Metrics2"`), "EMFValidationErrors", "no Timestamp or no CloudWatchMetrics"},
		"no namespace":          {line(`"Namespace":"Heliograph",`, ``), "EMFValidationErrors", "no Namespace"},
		"empty namespace":       {line(`"Heliograph"`, `""`), "EMFValidationErrors", "Namespace"},
		"long namespace":        {line(`Heliograph`, long[:256]), "EMFValidationErrors", "Namespace"},
		"AWS's namespace":       {line(`Heliograph`, `AWS/Lambda`), "EMFValidationErrors", "AWS's own"},
		"no set":                {line(`[["Stage"],["Stage","Function"]]`, `[]`), "EMFValidationErrors", "no set of dimensions"},
		"31 dimensions":         {line(`["Stage"]`, "["+strings.Join(sets, ",")+"]", `"connectionId"`, strings.Join(dims, ",")+`,"connectionId"`), "EMFValidationErrors", "31 dimensions"},
		"missing dimension":     {line(`"Stage":"dev",`, ``), "EMFValidationErrors", "Stage is no string"},
		"number as a dimension": {line(`"dev"`, `1`), "EMFValidationErrors", "Stage is no string"},
		"null as a dimension":   {line(`"dev"`, `null`), "EMFValidationErrors", "Stage is no string"},
		"empty dimension":       {line(`"dev"`, `""`), "EMFValidationErrors", "0 characters"},
		"long dimension":        {line(`"dev"`, `"`+long+`"`), "EMFValidationErrors", "1025 characters"},
		"dimension twice":       {line(`["Stage"]`, `["Stage","Stage"]`), "EMFValidationErrors", "twice in a set"},
		"nameless dimension":    {line(`["Stage"]`, `[""]`), "EMFValidationErrors", "dimension's name"},
		"nameless metric":       {line(`"Name":"Posts",`, ``), "EMFValidationErrors", "no name"},
		"unknown unit":          {line(`"Count"`, `"Counts"`), "EMFValidationErrors", `the unit "Counts"`},
		"odd resolution":        {line(`"Unit":"Count"`, `"StorageResolution":30`), "EMFValidationErrors", "storage resolution"},
		"missing value":         {line(`"Posts":3`, `"Other":3`), "EMFValidationErrors", "neither a number"},
		"text as a value":       {line(`"Posts":3`, `"Posts":"3"`), "EMFValidationErrors", "neither a number"},
		"null as a value":       {line(`"Posts":3`, `"Posts":null`), "EMFValidationErrors", "neither a number"},
		"null among values":     {line(`"Posts":3`, `"Posts":[1,null]`), "EMFValidationErrors", "does not take"},
		"no values":             {line(`"Posts":3`, `"Posts":[]`), "EMFValidationErrors", "neither a number"},
		"101 values":            {line(`"Posts":3`, `"Posts":[0`+strings.Repeat(",0", 100)+`]`), "EMFValidationErrors", "neither a number"},
		"huge value":            {line(`"Posts":3`, `"Posts":1e109`), "EMFValidationErrors", "does not take"},
		"101 metrics":           {line(`{"Name":"Posts","Unit":"Count"}`, strings.TrimSuffix(strings.Repeat(`{"Name":"Posts"},`, 101), ",")), "EMFValidationErrors", "101 metrics"},
		"large line":            {line(`"x"`, `"`+strings.Repeat("x", 256<<10)+`"`), "EMFValidationErrors", "log event"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, failure := readEMF(tt.line, now)
			if failure == nil || failure.metric != tt.metric || !strings.Contains(failure.Error(), tt.says) {
				t.Errorf("the error is %v; want %s, %q", failure, tt.metric, tt.says)
			}
			if len(data) > 0 {
				t.Errorf("%d values were taken all the same", len(data))
			}
		})
	}
}

func TestIngest(t *testing.T) {
	t.Parallel()
	var said []string
	s := New(Options{Now: func() time.Time { return now }, Problem: func(text string) { said = append(said, text) }})
	s.Ingest("/aws/lambda/send", "stream", line(), now)
	s.Ingest("/aws/lambda/send", "stream", line(`"Posts":3`, `"Posts":4`), now)
	s.Ingest("/aws/lambda/send", "stream", line(`"dev"`, `""`), now)
	s.Ingest("/aws/lambda/send", "stream", "just a line", now)
	got := s.Series()
	names := make([]string, len(got))
	for i, m := range got {
		names[i] = fmt.Sprintf("%s %s %v %s count %v sum %v last %v", m.Namespace, m.Name, m.Dimensions, m.Unit, m.Count, m.Sum, m.Last)
	}
	want := []string{
		"AWS/Logs EMFValidationErrors [{LogGroupName /aws/lambda/send}] Count count 1 sum 1 last 1",
		"Heliograph Posts [{Function send} {Stage dev}] Count count 2 sum 7 last 4",
		"Heliograph Posts [{Stage dev}] Count count 2 sum 7 last 4",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if len(said) != 1 || !strings.Contains(said[0], "/aws/lambda/send") {
		t.Errorf("the problems are %q", said)
	}
	if n := len(s.Events("/aws/lambda/send", 0, 0)); n != 4 {
		t.Errorf("%d lines are kept; the bad one is a line of the log too", n)
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	var all []string
	for u := range units {
		all = append(all, u)
	}
	slices.Sort(all)
	want := strings.Fields("Bits Bits/Second Bytes Bytes/Second Count Count/Second Gigabits Gigabits/Second Gigabytes Gigabytes/Second Kilobits Kilobits/Second Kilobytes Kilobytes/Second Megabits Megabits/Second Megabytes Megabytes/Second Microseconds Milliseconds None Percent Seconds Terabits Terabits/Second Terabytes Terabytes/Second")
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
}

func highResolution(d Datum) Datum {
	d.HighResolution = true
	return d
}
