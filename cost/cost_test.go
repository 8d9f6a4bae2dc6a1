package cost

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of docs/cost.md")

const page = "../docs/cost.md"

// TestDocument proves that the tables of docs/cost.md are those of the model.
func TestDocument(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, table := range map[string]string{"operations": operationsTable(), "month": monthTable(), "choices": choicesTable(), "telemetry": telemetryTable()} {
		begin, end := fmt.Sprintf("<!-- %s, by cost -->\n", name), "<!-- end -->"
		before, rest, found := strings.Cut(text, begin)
		old, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("%s has no %q", page, begin)
		}
		if diff := cmp.Diff(old, table); diff != "" && !*update {
			t.Errorf("the table of %s (-page +model; go test ./cost -update):\n%s", name, diff)
		}
		text = before + begin + table + end + after
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func operationsTable() string {
	var b strings.Builder
	b.WriteString("| operation | write | read | |\n|---|---:|---:|---|\n")
	for _, o := range operations {
		fmt.Fprintf(&b, "| %s | %v | %v | %s |\n", o.name, o.units.Write, o.units.Read, o.note)
	}
	fmt.Fprintf(&b, "| gauges, for 100 connections more | 0 | ≤%v | and up to half a unit for each of 32 counts: 100,000 connections take no more than 1,500 |\n", CountOf100)
	fmt.Fprintf(&b, "| gauges, for 100 users online more | 0 | ≤%v | on top of the connections, by ids of 36 bytes, and up to half a unit for each of 16 counts |\n", CountOf100)
	return b.String()
}

// batched is the example with messages that are sent and handed over by so many at once.
func batched(sent, batch float64) Load {
	l := Example
	l.Sent, l.Batch = sent, batch
	return l
}

func monthTable() string {
	var b strings.Builder
	b.WriteString("| what | how much in a month | price, USD | one by one | by ten |\n|---|---|---:|---:|---:|\n")
	alone, ten := Month(Example, Defaults), Month(batched(10, 10), Defaults)
	for i, line := range alone {
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f | %.2f |\n", line.What, line.HowMuch, line.Price, line.USD, ten[i].USD)
	}
	fmt.Fprintf(&b, "| **together** | | | **%s** | **%s** |\n", dollars(Together(alone)), dollars(Together(ten)))
	return b.String()
}

// choicesTable adds one choice after the other.
func choicesTable() string {
	var b strings.Builder
	b.WriteString("| what you choose | one by one | by ten |\n|---|---:|---:|\n")
	c := Defaults
	row := func(what string, alone, ten Load) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", what, dollars(Together(Month(alone, c))), dollars(Together(Month(ten, c))))
	}
	row("nothing", Example, batched(10, 10))
	c.Traced = false
	row("and `tracing: passThrough`", Example, batched(10, 10))
	c.Alarms = EssentialAlarms
	row("and `alarms: essential`", Example, batched(10, 10))
	row("and producers that send ten messages at once", batched(10, 1), batched(10, 10))
	row("and `sendBatchWindow: 1s`, which fills the batches", batched(10, 10), batched(10, 10))
	return b.String()
}

// watching is the telemetry's price against that of everything else, and the share in percent.
func watching(l Load, c Choices) (telemetry, watched, percent float64) {
	telemetry = Together(Telemetry(l, c))
	watched = Together(Month(l, c)) - telemetry
	return telemetry, watched, 100 * telemetry / watched
}

// telemetryTable adds one choice after the other.
func telemetryTable() string {
	var b strings.Builder
	b.WriteString("| what you choose | one by one | by ten |\n|---|---:|---:|\n")
	c := Defaults
	row := func(what string) {
		fmt.Fprintf(&b, "| %s |", what)
		for _, l := range []Load{Example, batched(10, 10)} {
			telemetry, watched, percent := watching(l, c)
			fmt.Fprintf(&b, " %.0f / %s USD: %.0f %% |", telemetry, strings.TrimSuffix(dollars(math.Round(watched)), ".00"), percent)
		}
		b.WriteString("\n")
	}
	row("nothing")
	c.Alarms = EssentialAlarms
	row("`alarms: essential`")
	c.Traced = false
	row("and `tracing: passThrough`")
	return b.String()
}

// TestTenth proves that with the choices that docs/cost.md names, telemetry costs a tenth of what it watches.
func TestTenth(t *testing.T) {
	t.Parallel()
	c := Defaults
	c.Alarms, c.Traced = EssentialAlarms, false
	for _, l := range []Load{Example, batched(10, 10)} {
		if telemetry, watched, percent := watching(l, c); percent > 10.5 {
			t.Errorf("%.0f of %.0f USD: %.1f %%", telemetry, watched, percent)
		}
	}
}

// dollars writes an amount with its thousands apart.
func dollars(usd float64) string {
	text := fmt.Sprintf("%.2f", usd)
	if point := len(text) - 3; point > 3 {
		return text[:point-3] + "," + text[point-3:]
	}
	return text
}

// TestBill proves that the example costs no more than was promised, and that a choice that is meant to save does.
func TestBill(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		load Load
		most float64
	}{
		"one by one":             {Example, 1543},
		"handed over by ten":     {batched(1, 10), 1122},
		"sent by ten, too":       {batched(10, 10), 1027},
		"sent by ten, never met": {batched(10, 1), 1448},
	} {
		bill := Together(Month(test.load, Defaults))
		if bill > test.most || bill < test.most-10 {
			t.Errorf("%s: %.2f USD, want at most %v, and not much less", name, bill, test.most)
		}
		for what, choose := range map[string]func(*Choices){
			"no traces": func(c *Choices) { c.Traced = false }, "shorter lines": func(c *Choices) { c.LogKB /= 2 },
			"essential alarms": func(c *Choices) { c.Alarms = EssentialAlarms },
		} {
			c := Defaults
			choose(&c)
			if saved := bill - Together(Month(test.load, c)); saved < 10 {
				t.Errorf("%s, %s: saves %.2f USD", name, what, saved)
			}
		}
	}
}

// TestGrowingLeases proves that leases that double with each renewal, up to an hour, save little: of sessions whose
// lengths are distributed exponentially, most renewals are first ones.
func TestGrowingLeases(t *testing.T) {
	t.Parallel()
	length := Example.Connections / Example.Sessions // seconds, on average
	renewals := func(grow func(lease float64) float64) (rate float64) {
		const first, limit = 60, 7200
		lease := Defaults.Lease
		for age := float64(first); age < limit; age += lease {
			if age > first {
				lease = grow(lease)
			}
			rate += Example.Sessions * math.Exp(-age/length)
		}
		return rate
	}
	same := renewals(func(lease float64) float64 { return lease })
	growing := renewals(func(lease float64) float64 { return min(2*lease, 3600) })
	saved := (same - growing) * RenewLease.Write * seconds * writeUnit
	t.Logf("%.1f renewals a second, %.1f with leases that grow: %.2f USD a month", same, growing, saved)
	if saved < 5 || saved > 15 {
		t.Errorf("growing leases save %.2f USD a month of %.2f", saved, same*RenewLease.Write*seconds*writeUnit)
	}
}

// TestPassing proves that an hour of a load costs what a month does, in proportion, without what an idle stack costs.
func TestPassing(t *testing.T) {
	t.Parallel()
	idle := Together(Month(Load{Sent: 1, Batch: 1}, Defaults))
	if math.IsNaN(idle) || idle < 30 || idle > 60 {
		t.Errorf("an idle stack costs %v USD a month", idle)
	}
	want := (Together(Month(Example, Defaults)) - idle) / 730
	if got := Passing(Example, Defaults, time.Hour); math.Abs(got-want) > 1e-9 {
		t.Errorf("an hour costs %v USD, want %v", got, want)
	}
}

// TestQuotas proves the headroom of the example against hand-made figures: 100 messages a second of 20 ms are two
// executions at once, and sessions add 10 of 3 + 15 + 25 ms and more.
func TestQuotas(t *testing.T) {
	t.Parallel()
	got := map[string]float64{}
	for _, q := range Quotas(Example, Defaults, Usual) {
		got[q.Name] = q.Uses
	}
	want := map[string][2]float64{
		"new connections a second": {10, 10}, "batches of messages at once": {2, 2}, "concurrent executions": {2.43, 4},
		"requests to API Gateway a second": {100 + 20 + 1 + 20, 100 + 20 + 1 + 22},
	}
	for name, bounds := range want {
		if v, there := got[name]; !there || v < bounds[0] || v > bounds[1] {
			t.Errorf("%s: %v, want %v", name, v, bounds)
		}
	}
	if Thresholds(Example, Usual)["connect-rate"] != 400 || Thresholds(Example, Usual)["concurrency"] != 800 {
		t.Errorf("%v: those of the usual account are the defaults of infra/stack", Thresholds(Example, Usual))
	}
}

// TestAlternatives proves what others charge for the example, worked out by hand: 438 million connection minutes, and 200
// and 20 operations a second.
func TestAlternatives(t *testing.T) {
	t.Parallel()
	const managed = 438*0.08 + (200+20)*2.628
	tasks, balancer, redis := 2*(0.04048+2*0.004445), 0.0225+0.008*10_000/3_000, 2*0.032
	want := map[string]float64{"AppSync Events": managed, "IoT Core (MQTT over WebSocket)": managed, "Centrifugo on Fargate": 730 * (tasks + balancer + redis)}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range Alternatives(Example) {
		if row := fmt.Sprintf("| %s | %.0f |", a.Name, a.USD); !strings.Contains(string(text), row) {
			t.Errorf("%s has no row %s", page, row)
		}
		if math.Abs(a.USD-want[a.Name]) > 0.01 || a.Lacks == "" {
			t.Errorf("%+v, want %.2f USD", a, want[a.Name])
		}
	}
}
