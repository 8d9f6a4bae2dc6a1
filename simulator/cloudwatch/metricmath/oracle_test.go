package metricmath

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// The oracle computes an expression as by hand: a series is a map from period to value, and an absent key is a missing
// value. It shares only the syntax of expressions with the package.
type oracle struct {
	text string
	// number is set for a number, otherwise values.
	number *float64
	values map[int]float64
}

const periods = 6

func ofNumber(text string, v float64) oracle { return oracle{text: text, number: &v} }

// at is the value in a period; a number has one in each.
func (o oracle) at(i int) (float64, bool) {
	if o.number != nil {
		return *o.number, true
	}
	v, ok := o.values[i]
	return v, ok
}

func (o oracle) row() []float64 {
	row := constant(math.NaN(), periods)
	for i, v := range o.values {
		row[i] = v
	}
	return row
}

// settle drops non-finite numbers.
func settle(o oracle) oracle {
	maps.DeleteFunc(o.values, func(_ int, v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	return o
}

func binary(op string, a, b oracle) oracle {
	o := oracle{text: "(" + a.text + " " + op + " " + b.text + ")", values: map[int]float64{}}
	for i := range periods {
		x, hasX := a.at(i)
		y, hasY := b.at(i)
		known := hasX && hasY || a.number == nil && b.number == nil && (hasX || hasY) // the other one is 0
		if known {
			o.values[i] = byHand(op, x, y)
		}
	}
	return settle(o)
}

func byHand(op string, x, y float64) float64 {
	yes := false
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		if y == 0 {
			return math.NaN()
		}
		return x / y
	case "<":
		yes = x < y
	case "<=":
		yes = x <= y
	case ">":
		yes = x > y
	case ">=":
		yes = x >= y
	case "==":
		yes = x == y
	case "!=":
		yes = x != y
	case "AND":
		yes = x != 0 && y != 0
	case "OR":
		yes = x != 0 || y != 0
	}
	if yes {
		return 1
	}
	return 0
}

func conditional(c, a, b oracle) oracle {
	o := oracle{text: fmt.Sprintf("IF(%s, %s, %s)", c.text, a.text, b.text), values: map[int]float64{}}
	for i, v := range c.values {
		if v != 0 {
			o.values[i], _ = a.at(i) // 0 if missing
		} else if w, ok := b.at(i); ok {
			o.values[i] = w
		}
	}
	return o
}

func filled(a, with oracle) oracle {
	o := oracle{text: fmt.Sprintf("FILL(%s, %s)", a.text, with.text), values: maps.Clone(a.values)}
	for i := range periods {
		if _, ok := o.values[i]; !ok {
			if w, ok := with.at(i); ok {
				o.values[i] = w
			}
		}
	}
	return o
}

func difference(a oracle) oracle {
	o := oracle{text: "DIFF(" + a.text + ")", values: map[int]float64{}}
	at := slices.Sorted(maps.Keys(a.values))
	for j := 1; j < len(at); j++ {
		o.values[at[j]] = a.values[at[j]] - a.values[at[j-1]]
	}
	return o
}

// reduced is a reduction of several series to one. AVG divides by all series, missing values included.
func reduced(name string, of ...oracle) oracle {
	texts, o := []string{}, oracle{values: map[int]float64{}}
	for i := range periods {
		var present []float64
		for _, a := range of {
			if v, ok := a.values[i]; ok {
				present = append(present, v)
			}
		}
		if len(present) == 0 {
			continue
		}
		total := 0.0
		for _, v := range present {
			total += v
		}
		o.values[i] = map[string]float64{
			"SUM": total, "AVG": total / float64(len(of)), "MIN": slices.Min(present), "MAX": slices.Max(present),
		}[name]
	}
	for _, a := range of {
		texts = append(texts, a.text)
	}
	o.text = name + "([" + strings.Join(texts, ", ") + "])"
	return settle(o)
}

// draw makes a random expression that yields a series.
func draw(t *rapid.T, depth int, leaves []oracle) oracle {
	if depth == 0 {
		return rapid.SampledFrom(leaves).Draw(t, "leaf")
	}
	one := func() oracle { return draw(t, depth-1, leaves) }
	oneOrNumber := func() oracle {
		if rapid.Bool().Draw(t, "number") {
			v := rapid.SampledFrom([]float64{0, 1, 2, 0.5, 100}).Draw(t, "value")
			return ofNumber(fmt.Sprint(v), v)
		}
		return one()
	}
	switch rapid.SampledFrom([]string{"op", "op", "op", "IF", "FILL", "DIFF", "reduce"}).Draw(t, "kind") {
	case "IF":
		return conditional(one(), oneOrNumber(), oneOrNumber())
	case "FILL":
		return filled(one(), oneOrNumber())
	case "DIFF":
		return difference(one())
	case "reduce":
		return reduced(rapid.SampledFrom([]string{"SUM", "AVG", "MIN", "MAX"}).Draw(t, "reduction"), one(), one(), one())
	}
	op := rapid.SampledFrom([]string{"+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "AND", "OR"}).Draw(t, "op")
	if rapid.Bool().Draw(t, "swapped") {
		return binary(op, oneOrNumber(), one())
	}
	return binary(op, one(), oneOrNumber())
}

func TestAgainstTheOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		series := map[string]string{}
		var leaves []oracle
		for _, id := range []string{"a", "b", "c"} {
			o := oracle{text: id, values: map[int]float64{}}
			for i := range periods {
				if rapid.IntRange(0, 2).Draw(t, "present") > 0 {
					o.values[i] = float64(rapid.IntRange(-3, 5).Draw(t, "v"))
				}
			}
			series[id] = strings.ReplaceAll(strings.Trim(fmt.Sprint(o.row()), "[]"), "NaN", "-")
			leaves = append(leaves, o)
		}
		want := draw(t, rapid.IntRange(1, 4).Draw(t, "depth"), leaves)
		got, err := eval(want.text, env(series))
		if err != nil {
			t.Fatalf("%s: %v", want.text, err)
		}
		if diff := cmp.Diff(want.row(), got[0].Values, cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-9, 1e-9)); diff != "" {
			t.Fatalf("%s: %s", want.text, diff)
		}
	})
}
