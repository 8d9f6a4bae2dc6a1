package catalogue

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heliograph"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// TestCatalogueLint holds every declaration to the rules that dashboards, alarms and the metric lines
// rely on.
func TestCatalogueLint(t *testing.T) {
	t.Parallel()
	for _, m := range All() {
		for _, fault := range lint(*m.d) {
			t.Errorf("%s: %s", m.Name(), fault)
		}
	}
}

// TestLintFindsFaults proves that the lint sees each of the faults that it is there for.
func TestLintFindsFaults(t *testing.T) {
	t.Parallel()
	good := *PostsFailed.d
	if faults := lint(good); len(faults) > 0 {
		t.Fatalf("a good metric has the faults %q", faults)
	}
	for name, spoil := range map[string]func(*declaration){
		"lower case":         func(d *declaration) { d.name = "postsFailed" },
		"not ASCII":          func(d *declaration) { d.name = "PostsFäiled" },
		"too long":           func(d *declaration) { d.name = "P" + strings.Repeat("o", 255) },
		"unit of a counter":  func(d *declaration) { d.unit = Milliseconds },
		"unit of a latency":  func(d *declaration) { d.kind = Observation },
		"no such kind":       func(d *declaration) { d.kind = "histogram" },
		"no meaning":         func(d *declaration) { d.meaning = "" },
		"half a sentence":    func(d *declaration) { d.meaning = "Posts that failed" },
		"nobody emits it":    func(d *declaration) { d.functions = nil },
		"unknown function":   func(d *declaration) { d.functions = []string{"post"} },
		"functions unsorted": func(d *declaration) { d.functions = []string{heliograph.Send, heliograph.Announce} },
		"dimension's name":   func(d *declaration) { d.name = DimensionStage },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := good
			spoil(&bad)
			if len(lint(bad)) == 0 {
				t.Errorf("the lint accepts %+v", bad)
			}
		})
	}
}

var camelCase = regexp.MustCompile(`^([A-Z][a-z0-9]+)+$`)

// lint is what is wrong with a declaration.
func lint(d declaration) (faults []string) {
	check := func(ok bool, fault string) {
		if !ok {
			faults = append(faults, fault)
		}
	}
	check(camelCase.MatchString(d.name), "the name is not in CamelCase")
	check(len(d.name) <= 255, "the name is too long for the embedded metric format")
	check(d.name != DimensionStage && d.name != DimensionFunction, "the name is a dimension's")
	units, known := map[Kind][]Unit{Counter: {None}, Gauge: {None}, Observation: {Milliseconds, Seconds}}[d.kind]
	check(known, "there is no such kind")
	check(slices.Contains(units, d.unit), "the unit does not fit the kind")
	check(strings.HasSuffix(d.name, "Latency") == (d.unit == Milliseconds), "times, and only those, are called Latency")
	check(regexp.MustCompile(`(?s)^[A-Z].{20,}\.$`).MatchString(d.meaning), "the meaning is no sentence")
	check(len(d.functions) > 0, "no function emits it")
	check(slices.IsSorted(d.functions), "the functions are not sorted")
	for _, f := range d.functions {
		check(slices.Contains(heliograph.Functions(), f), "there is no function "+f)
	}
	return faults
}

// TestVariablesAreNamedAsMetrics proves that each metric is a variable of its own name, so that a search for the one
// finds the other, and that All leaves none out.
func TestVariablesAreNamedAsMetrics(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "metrics.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var variables []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && spec.Names[0].IsExported() {
			variables = append(variables, spec.Names[0].Name)
		}
		return true
	})
	var listed []string
	for _, m := range All() {
		listed = append(listed, m.Name())
	}
	slices.Sort(variables)
	if diff := cmp.Diff(variables, listed); diff != "" {
		t.Errorf("variables (-) and All, which is sorted (+), differ:\n%s", diff)
	}
}

// TestDeclaredTwice proves that a name can't stand for two metrics, whose values would be added up.
func TestDeclaredTwice(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := recover(); p != "catalogue: PostsFailed is declared twice" {
			t.Errorf("declaring a metric again gave %v", p)
		}
	}()
	counter("PostsFailed", "A second one.", heliograph.Send)
}

// TestCallersCantChangeTheCatalogue proves that what a caller does to the returned slices stays with the caller.
func TestCallersCantChangeTheCatalogue(t *testing.T) {
	t.Parallel()
	All()[0] = Metric{}
	ConnectionsClosed.Functions()[0] = "changed"
	if All()[0] != ActiveConnections || ConnectionsClosed.Functions()[0] != heliograph.Announce {
		t.Error("a change of a returned slice changed the catalogue")
	}
}

// TestMetricsDocument holds docs/metrics.md equal to the catalogue. Run it with -update after a change.
func TestMetricsDocument(t *testing.T) {
	t.Parallel()
	const path = "../../docs/metrics.md"
	want := metricsDocument(All())
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/metrics.md is not what the catalogue says (run `go test ./observability/catalogue -update`):\n%s", diff)
	}
}

const metricsIntroduction = `# Metrics

<!-- Made from observability/catalogue/metrics.go by "go test ./observability/catalogue -update". Change it there. -->

Every metric is in the namespace ` + "`Heliograph`" + `. It has one dimension set: ` + "`[Stage]`" + `, the stack's
name, or ` + "`[Stage, Function]`" + `, with the function's short name. Ids (connection, request, trace, the hash of
a user's id) are properties of the metric lines in the functions' log groups. They are never dimensions:
every combination of dimension values is a metric that is paid for.

A **counter** is one sum per invocation: look at ` + "`Sum`" + `. An invocation that had nothing to count writes
nothing, so missing data means zero; a counter that a ratio needs is written as zero then, and says so below. An **observation** is one value per thing that happened: look at
percentiles. A **gauge** is how many there are at that time: look at ` + "`Maximum`" + `.

Metrics are log lines in CloudWatch's embedded metric format. They have no level, and Lambda's JSON log
format counts such lines as INFO: a function's *application log level* must stay at INFO or below. The
functions filter their own log lines by ` + "`LOG_LEVEL`" + `.

| Metric | Kind | Unit | Dimensions | Emitted by | Meaning |
|---|---|---|---|---|---|
`

// notes are what else to know of a metric.
func notes(m Metric) (text string) {
	if m.Zero() {
		text += " Zeros are written."
	}
	if m.HighResolution() {
		text += " Kept by the second, for three hours."
	}
	return text
}

// metricsDocument is docs/metrics.md.
func metricsDocument(all []Metric) string {
	var b strings.Builder
	b.WriteString(metricsIntroduction)
	for _, m := range all {
		by := strings.Join(m.Functions(), ", ")
		if len(m.Functions()) == len(heliograph.Functions()) {
			by = "every function"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n",
			m.Name(), m.Kind(), m.Unit(), strings.Join(m.Dimensions(), ", "), by, m.Meaning()+notes(m))
	}
	return b.String()
}
