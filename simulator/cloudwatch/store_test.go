package cloudwatch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestStatistics(t *testing.T) {
	t.Parallel()
	clock := now.Truncate(10 * time.Minute)
	s := New(Options{Now: func() time.Time { return clock.Add(10 * time.Minute) }})
	dims := []Dimension{{"Stage", "dev"}, {"Function", "send"}}
	put := func(at time.Duration, values ...float64) {
		for _, v := range values {
			if err := s.PutMetric(Datum{Namespace: "N", Name: "M", Dimensions: dims, Unit: "Milliseconds", Value: v, Time: clock.Add(at)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(0, 1, 2, 3)
	put(59*time.Second, 10)
	put(time.Minute, 4)
	put(4*time.Minute, -5)
	other := Datum{Namespace: "N", Name: "M", Dimensions: dims[:1], Value: 99, Time: clock}
	if err := s.PutMetric(other); err != nil {
		t.Fatal(err)
	}
	minutes := func(at ...float64) []Point {
		var points []Point
		for i := 0; i < len(at); i += 3 {
			points = append(points, Point{Time: clock.Add(time.Duration(at[i]) * time.Minute), Value: at[i+1], Samples: at[i+2]})
		}
		return points
	}
	for name, tt := range map[string]struct {
		statistic string
		period    time.Duration
		unit      string
		want      []Point
	}{
		"sum of a minute":     {"Sum", time.Minute, "", minutes(0, 16, 4, 1, 4, 1, 4, -5, 1)},
		"average of a minute": {"Average", time.Minute, "", minutes(0, 4, 4, 1, 4, 1, 4, -5, 1)},
		"sum of 5 minutes":    {"Sum", 5 * time.Minute, "", minutes(0, 15, 6)},
		"samples":             {"SampleCount", 5 * time.Minute, "", minutes(0, 6, 6)},
		"least":               {"Minimum", 5 * time.Minute, "", minutes(0, -5, 6)},
		"most":                {"Maximum", 5 * time.Minute, "Milliseconds", minutes(0, 10, 6)},
		"another unit":        {"Sum", time.Minute, "Count", nil},
		"share above 3":       {"PR(3.5:)", time.Minute, "", minutes(0, 25, 4, 1, 100, 1, 4, 0, 1)},
		"share between":       {"PR(1.5:3.5)", 5 * time.Minute, "", minutes(0, 100.0/3, 6)},
		"highest percentile":  {"p100", time.Minute, "", minutes(0, 10, 4, 1, 4, 1, 4, -5, 1)},
		"p99.9":               {"p99.9", time.Minute, "", minutes(0, 10, 4, 1, 4, 1, 4, -5, 1)},
		"lowest percentile":   {"p0", time.Minute, "", minutes(0, 1, 4, 1, 4, 1, 4, -5, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Statistics(Query{
				Namespace: "N", Name: "M", Dimensions: []Dimension{dims[1], dims[0]}, Statistic: tt.statistic, Unit: tt.unit,
				Start: clock.Add(-10 * time.Minute), End: clock.Add(10 * time.Minute), Period: tt.period,
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty(), cmpopts.EquateApprox(0.011, 0)); diff != "" {
				t.Error(diff)
			}
		})
	}
	part := Query{Namespace: "N", Name: "M", Dimensions: dims, Statistic: "Sum", Start: clock.Add(time.Minute), End: clock.Add(4 * time.Minute), Period: time.Minute}
	if got := queryOne(t, s, part); got != 4 { // the start's minute counts, the end's does not
		t.Errorf("minutes 1 to 3 are %v", got)
	}
	if got := queryOne(t, s, Query{Namespace: "N", Name: "M", Dimensions: dims[:1], Statistic: "Sum", Start: clock, End: clock.Add(time.Minute), Period: time.Minute}); got != 99 {
		t.Errorf("the other metric is %v", got)
	}
}

func queryOne(t *testing.T, s *Store, q Query) float64 {
	t.Helper()
	points, err := s.Statistics(q)
	if err != nil || len(points) != 1 {
		t.Fatalf("%d points, %v", len(points), err)
	}
	return points[0].Value
}

// TestPercentileIsWithinAPercent proves that a percentile is within a percent of the exact one, whatever the values.
func TestPercentileIsWithinAPercent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 200).Draw(t, "values")
		p := rapid.Float64Range(0, 100).Draw(t, "p")
		s := New(Options{Now: func() time.Time { return now }})
		for _, v := range values {
			if err := s.PutMetric(Datum{Namespace: "N", Name: "M", Value: v}); err != nil {
				t.Fatal(err)
			}
		}
		points, err := s.Statistics(Query{Namespace: "N", Name: "M", Statistic: fmt.Sprintf("p%v", p), Start: now, End: now.Add(time.Minute), Period: time.Minute})
		if strings.Contains(fmt.Sprint(p), "e") { // too small for the notation of percentiles
			return
		}
		if err != nil || len(points) != 1 {
			t.Fatalf("%d points, %v", len(points), err)
		}
		slices.Sort(values)
		rank := int(math.Ceil(p / 100 * float64(len(values))))
		want := values[max(rank, 1)-1]
		if got := points[0].Value; math.Abs(got-want) > 0.0101*math.Abs(want)+1e-9 {
			t.Fatalf("p%v of %v is %v, want %v", p, values, got, want)
		}
	})
}

func TestPercentileOfEqualValuesIsExact(t *testing.T) {
	t.Parallel()
	s := New(Options{Now: func() time.Time { return now }})
	for range 3 {
		if err := s.PutMetric(Datum{Namespace: "N", Name: "M", Value: 10}); err != nil {
			t.Fatal(err)
		}
	}
	q := Query{Namespace: "N", Name: "M", Statistic: "p50", Start: now.Add(-time.Minute), End: now.Add(time.Minute), Period: time.Minute}
	if got := queryOne(t, s, q); got != 10 {
		t.Errorf("p50 of 10, 10 and 10 is %v", got)
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	for _, statistic := range []string{"", "Median", "p", "p101", "PR(:)", "PR(1)", "PR(a:)", "p-1", "pp", "tm99"} {
		if _, err := s.Statistics(Query{Statistic: statistic, Period: time.Minute}); err == nil {
			t.Errorf("%q was taken", statistic)
		}
	}
	for _, period := range []time.Duration{0, 2 * time.Second, 90 * time.Second, -time.Minute, 1500 * time.Millisecond} {
		if _, err := s.Statistics(Query{Statistic: "Sum", Period: period}); err == nil {
			t.Errorf("%v was taken", period)
		}
	}
}

func TestMetricsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	for _, d := range []Datum{
		{Name: "M"},
		{Namespace: "N"},
		{Namespace: "N", Name: "M", Unit: "Requests"},
		{Namespace: "N", Name: "M", Value: math.NaN()},
		{Namespace: "N", Name: "M", Value: math.Inf(1)},
		{Namespace: "N", Name: "M", Value: 1e109},
	} {
		if err := s.PutMetric(d); err == nil {
			t.Errorf("%+v was taken", d)
		}
	}
	if n := len(s.Series()); n != 0 {
		t.Errorf("there are %d series", n)
	}
}

func TestOldMinutesAreForgotten(t *testing.T) {
	t.Parallel()
	clock := now
	s := New(Options{Retention: 10 * time.Minute, Now: func() time.Time { return clock }})
	for range 60 {
		if err := s.PutMetric(Datum{Namespace: "N", Name: "M", Value: 1}); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(time.Minute)
	}
	points, err := s.Statistics(Query{Namespace: "N", Name: "M", Statistic: "Sum", Start: now, End: clock.Add(time.Minute), Period: time.Minute})
	if err != nil || len(points) < 10 || len(points) > 12 {
		t.Errorf("%d minutes are kept, %v", len(points), err)
	}
	if all := s.Series()[0]; all.Count != 60 || all.Sum != 60 {
		t.Errorf("the series since the start is %+v", all)
	}
}

// TestOldValuesAreCoarse proves that values older than 3 hours are kept by 5 minutes, in less memory and without a loss
// to sums and percentiles, and that late ones are merged in the right place.
func TestOldValuesAreCoarse(t *testing.T) {
	t.Parallel()
	from := now.Truncate(time.Hour)
	clock := from
	s := New(Options{Now: func() time.Time { return clock }})
	put := func(at time.Time, v float64) {
		if err := s.PutMetric(Datum{Namespace: "N", Name: "M", Value: v, Time: at}); err != nil {
			t.Fatal(err)
		}
	}
	for range 300 {
		put(clock, 1)
		clock = clock.Add(time.Minute)
	}
	put(from.Add(7*time.Minute), 9)
	put(from.Add(-7*time.Minute), 1)
	if n := len(s.series["N\x00M\x00None"].buckets); n < 200 || n > 210 { // 25 of 5 minutes, 180 of a minute
		t.Errorf("%d buckets are kept", n)
	}
	all := Query{Namespace: "N", Name: "M", Start: from.Add(-time.Hour), End: clock, Period: time.Hour}
	for statistic, want := range map[string]string{"Sum": "[1 69 60 60 60 60]", "p99": "[1 9 1 1 1 1]", "SampleCount": "[1 61 60 60 60 60]"} {
		all.Statistic = statistic
		points, err := s.Statistics(all)
		var got []float64
		for _, p := range points {
			got = append(got, math.Round(p.Value))
		}
		if fmt.Sprint(got) != want || err != nil {
			t.Errorf("%s: %v, %v, want %s", statistic, got, err, want)
		}
	}
}

// TestShortMinute proves that with a minute of a second, a period of 5 minutes lasts 5 seconds.
func TestShortMinute(t *testing.T) {
	t.Parallel()
	clock := now.Truncate(time.Hour)
	s := New(Options{Minute: time.Second, Now: func() time.Time { return clock }})
	begin := clock
	for range 10 {
		if err := s.PutMetric(Datum{Namespace: "N", Name: "M", Value: 1, HighResolution: true}); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(time.Second)
	}
	points, err := s.Statistics(Query{Namespace: "N", Name: "M", Statistic: "Sum", Start: begin, End: clock, Period: 5 * time.Minute})
	want := []Point{{begin, 5, 5}, {begin.Add(5 * time.Second), 5, 5}}
	if diff := cmp.Diff(want, points); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, minute := range []time.Duration{time.Second, 7 * time.Millisecond, time.Minute, 250 * time.Millisecond} {
		s := New(Options{Minute: minute})
		for second := int64(1e9); second < 1e9+130; second++ {
			if got := s.Second(s.Time(second)); got != second {
				t.Fatalf("a minute of %v: second %d becomes %d", minute, second, got)
			}
		}
	}
}

func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	s := New(Options{Series: 2})
	for i := range 5 {
		if err := s.PutMetric(Datum{Namespace: "N", Name: fmt.Sprint("M", i), Value: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.Series()); n != 2 || s.Dropped() != 3 {
		t.Errorf("%d series, %d dropped", n, s.Dropped())
	}
}

func TestLogGroups(t *testing.T) {
	t.Parallel()
	s := New(Options{Lines: 3})
	if err := s.CreateGroup("a", 14); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateGroup("a", 14); err == nil {
		t.Error("a group was made twice")
	}
	for i := range 5 {
		s.Ingest("b", "stream", fmt.Sprint(i), now)
	}
	if err := s.CreateGroup("b", 0); err != nil {
		t.Errorf("a group that came with its first line can't be declared: %v", err)
	}
	want := []Group{{Name: "a", RetentionDays: 14, Declared: true}, {Name: "b", Declared: true, Lines: 5}}
	if diff := cmp.Diff(want, s.Groups()); diff != "" {
		t.Error(diff)
	}
	texts := func(events []Event) string {
		var all []string
		for _, e := range events {
			all = append(all, fmt.Sprint(e.Sequence, ":", e.Text))
		}
		return strings.Join(all, " ")
	}
	for _, tt := range []struct {
		after uint64
		max   int
		want  string
	}{{0, 0, "3:2 4:3 5:4"}, {4, 0, "5:4"}, {5, 0, ""}, {0, 2, "4:3 5:4"}} {
		if got := texts(s.Events("b", tt.after, tt.max)); got != tt.want {
			t.Errorf("after %d, at most %d: %q, want %q", tt.after, tt.max, got, tt.want)
		}
	}
	if got := s.Events("nobody", 0, 0); len(got) != 0 {
		t.Errorf("an unknown group has %v", got)
	}
}

func TestLogGroupsAreBoundedInBytesToo(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	for range 40 {
		s.Ingest("a", "stream", strings.Repeat("x", 1<<20), now)
	}
	if n := len(s.Events("a", 0, 0)); n != 8 {
		t.Errorf("%d lines of 1 MB are kept", n)
	}
}

func TestStoreIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := New(Options{Now: func() time.Time { return now }})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				s.Ingest(fmt.Sprint(i%2), "stream", line(), now)
				s.Series()
				s.Groups()
				s.Events("0", 0, 10)
				_, _ = s.Statistics(Query{Namespace: "Heliograph", Name: "Posts", Dimensions: []Dimension{{"Stage", "dev"}}, Statistic: "p99", Start: now, End: now.Add(time.Minute), Period: time.Minute})
			}
		})
	}
	wg.Wait()
	if got := queryOne(t, s, Query{Namespace: "Heliograph", Name: "Posts", Dimensions: []Dimension{{"Stage", "dev"}}, Statistic: "Sum", Start: now.Add(-time.Minute), End: now.Add(time.Minute), Period: time.Minute}); got != 8*100*3 {
		t.Errorf("the sum is %v", got)
	}
}
