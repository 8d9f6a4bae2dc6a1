package observability

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestCatalogueLint holds every declaration to the rules that dashboards, alarms and the metric lines
// rely on.
func TestCatalogueLint(t *testing.T) {
	t.Parallel()
	for _, m := range Catalogue() {
		for _, fault := range lint(m) {
			t.Errorf("%s: %s", m.Name, fault)
		}
	}
}

// TestLintFindsFaults proves that the lint sees each of the faults that it is there for.
func TestLintFindsFaults(t *testing.T) {
	t.Parallel()
	good := PostsFailed
	if faults := lint(good); len(faults) > 0 {
		t.Fatalf("a good metric has the faults %q", faults)
	}
	for name, spoil := range map[string]func(*Metric){
		"lower case":         func(m *Metric) { m.Name = "postsFailed" },
		"not ASCII":          func(m *Metric) { m.Name = "PostsFäiled" },
		"too long":           func(m *Metric) { m.Name = "P" + strings.Repeat("o", maxName) },
		"unit of a counter":  func(m *Metric) { m.Unit = Milliseconds },
		"unit of a latency":  func(m *Metric) { m.Kind = Observation },
		"no such kind":       func(m *Metric) { m.Kind = "histogram" },
		"no meaning":         func(m *Metric) { m.Meaning = "" },
		"half a sentence":    func(m *Metric) { m.Meaning = "Posts that failed" },
		"nobody emits it":    func(m *Metric) { m.Functions = nil },
		"unknown function":   func(m *Metric) { m.Functions = []string{"post"} },
		"functions unsorted": func(m *Metric) { m.Functions = []string{send, announce} },
		"dimension's name":   func(m *Metric) { m.Name = DimensionStage },
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
func lint(m Metric) (faults []string) {
	check := func(ok bool, fault string) {
		if !ok {
			faults = append(faults, fault)
		}
	}
	check(camelCase.MatchString(m.Name), "the name is not in CamelCase")
	check(len(m.Name) <= maxName, "the name is too long for the embedded metric format")
	check(m.Name != DimensionStage && m.Name != DimensionFunction, "the name is a dimension's")
	units, known := map[Kind][]Unit{Counter: {Count}, Gauge: {Count}, Observation: {Milliseconds}}[m.Kind]
	check(known, "there is no such kind")
	check(slices.Contains(units, m.Unit), "the unit does not fit the kind")
	check(strings.HasSuffix(m.Name, "Latency") == (m.Unit == Milliseconds), "times, and only those, are called Latency")
	check(regexp.MustCompile(`(?s)^[A-Z].{20,}\.$`).MatchString(m.Meaning), "the meaning is no sentence")
	check(len(m.Functions) > 0, "no function emits it")
	check(slices.IsSorted(m.Functions), "the functions are not sorted")
	for _, f := range m.Functions {
		check(slices.Contains(everyFunction, f), "there is no function "+f)
	}
	return faults
}

// TestCatalogueOrder proves that the catalogue is sorted by name and names nothing twice.
func TestCatalogueOrder(t *testing.T) {
	t.Parallel()
	all := Catalogue()
	if !slices.IsSortedFunc(all, func(a, b Metric) int { return cmp.Compare(a.Name, b.Name) }) {
		t.Error("the catalogue is not sorted by name")
	}
	once := slices.CompactFunc(slices.Clone(all), func(a, b Metric) bool { return a.Name == b.Name })
	if len(once) != len(all) {
		t.Errorf("the catalogue has %d metrics and %d names", len(all), len(once))
	}
}

// TestCatalogueIsComplete proves that every metric that is declared as a variable is in the catalogue,
// under the variable's name.
func TestCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "catalogue.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.CompositeLit); ok {
			if kind, ok := literal.Type.(*ast.Ident); ok && kind.Name == "Metric" {
				declared = append(declared, spec.Names[0].Name)
			}
		}
		return true
	})
	var listed []string
	for _, m := range Catalogue() {
		listed = append(listed, m.Name)
	}
	slices.Sort(declared)
	if diff := gocmp.Diff(declared, listed); diff != "" {
		t.Errorf("declared (-) and listed (+) differ:\n%s", diff)
	}
}

// TestCatalogueIsTheCallers proves that a caller can't change the catalogue.
func TestCatalogueIsTheCallers(t *testing.T) {
	t.Parallel()
	Catalogue()[0].Name = "Changed"
	if Catalogue()[0].Name != ActiveConnections.Name {
		t.Error("a change of the returned slice changed the catalogue")
	}
}

// TestMetricsDocument holds docs/metrics.md equal to the catalogue. Run it with -update after a change.
func TestMetricsDocument(t *testing.T) {
	t.Parallel()
	const path = "../docs/metrics.md"
	want := metricsDocument(Catalogue())
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/metrics.md is not what the catalogue says (run `go test ./observability -update`):\n%s", diff)
	}
}

const metricsIntroduction = `# Metrics

<!-- Made from observability/catalogue.go by "go test ./observability -update". Change it there. -->

Every metric is in the namespace ` + "`Heliograph`" + `. It has one dimension set: ` + "`[Stage]`" + `, the stack's
name, or ` + "`[Stage, Function]`" + `, with the function's short name. Ids (connection, request, trace, the hash of
a user's id) are properties of the metric lines in the functions' log groups. They are never dimensions:
every combination of dimension values is a metric that is paid for.

A **counter** is one sum per invocation: look at ` + "`Sum`" + `. An invocation that had nothing to count writes
nothing, so missing data means zero. An **observation** is one value per thing that happened: look at
percentiles. A **gauge** is how many there are at that time: look at ` + "`Maximum`" + `.

Metrics are log lines in CloudWatch's embedded metric format. They have no level, and Lambda's JSON log
format counts such lines as INFO: a function's *application log level* must stay at INFO or below. The
functions filter their own log lines by ` + "`LOG_LEVEL`" + `.

| Metric | Kind | Unit | Dimensions | Emitted by | Meaning |
|---|---|---|---|---|---|
`

// metricsDocument is docs/metrics.md.
func metricsDocument(all []Metric) string {
	var b strings.Builder
	b.WriteString(metricsIntroduction)
	for _, m := range all {
		by := strings.Join(m.Functions, ", ")
		if len(m.Functions) == len(everyFunction) {
			by = "every function"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n",
			m.Name, m.Kind, m.Unit, strings.Join(m.Dimensions(), ", "), by, m.Meaning)
	}
	return b.String()
}
