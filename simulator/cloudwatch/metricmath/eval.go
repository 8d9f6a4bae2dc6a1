package metricmath

import (
	"fmt"
	"math"
)

// Eval computes the expression.
func (e *Expression) Eval(env Env) (Value, error) {
	v, err := env.eval(e.root)
	if err != nil {
		return Value{}, fmt.Errorf("the expression %q: %w", e.source, err)
	}
	return v, nil
}

func (env Env) eval(n node) (Value, error) {
	switch n.op {
	case opNumber:
		return number(n.text), nil
	case opText, opWord:
		return Value{kind: text, text: n.text}, nil
	case opID:
		return env.Value(n.text)
	case opCall:
		return env.call(n)
	}
	kids, err := env.all(n.kids)
	if err != nil {
		return Value{}, err
	}
	switch n.op {
	case opArray:
		return join(kids)
	case opNegate:
		return env.combine(func(a, b float64) float64 { return a - b }, Value{}, kids[0])
	default:
		return env.combine(operators[n.text], kids[0], kids[1])
	}
}

func (env Env) all(nodes []node) ([]Value, error) {
	values := make([]Value, len(nodes))
	for i, n := range nodes {
		var err error
		if values[i], err = env.eval(n); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// join makes one array of the elements in brackets; nested arrays are flattened.
func join(parts []Value) (Value, error) {
	joined := Value{kind: array}
	for _, part := range parts {
		rows, err := part.Rows()
		if err != nil {
			return Value{}, fmt.Errorf("an array holds time series, not %v", part.kind)
		}
		joined.rows = append(joined.rows, rows...)
	}
	return joined, nil
}

// operators are the functions of the binary operators. A division by zero yields no finite number, and is dropped.
var operators = map[string]func(a, b float64) float64{
	"+":  func(a, b float64) float64 { return a + b },
	"-":  func(a, b float64) float64 { return a - b },
	"*":  func(a, b float64) float64 { return a * b },
	"/":  func(a, b float64) float64 { return a / b },
	"^":  math.Pow,
	"==": func(a, b float64) float64 { return truth(a == b) },
	"!=": func(a, b float64) float64 { return truth(a != b) },
	"<":  func(a, b float64) float64 { return truth(a < b) },
	"<=": func(a, b float64) float64 { return truth(a <= b) },
	">":  func(a, b float64) float64 { return truth(a > b) },
	">=": func(a, b float64) float64 { return truth(a >= b) },
	"&&": func(a, b float64) float64 { return truth(a != 0 && b != 0) },
	"||": func(a, b float64) float64 { return truth(a != 0 || b != 0) },
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// combine applies an operator: value by value, a number to every value, an array to each of its series.
func (env Env) combine(f func(a, b float64) float64, a, b Value) (Value, error) {
	switch {
	case a.kind == text || b.kind == text:
		return Value{}, fmt.Errorf("a word is no operand")
	case a.kind == scalar && b.kind == scalar:
		return Value{kind: scalar, number: f(a.number, b.number)}, nil
	case a.kind == array && b.kind == array:
		return Value{}, fmt.Errorf("two arrays can't be combined: CloudWatch combines an array with a series or a number")
	case a.kind == array, b.kind == scalar:
		return a.each(func(r []float64) []float64 { return combineRows(f, r, b.row(env.N), b.kind == scalar, false) }), nil
	default:
		return b.each(func(r []float64) []float64 { return combineRows(f, a.row(env.N), r, false, a.kind == scalar) }), nil
	}
}

// row returns a single series, or a number as one.
func (v Value) row(n int) []float64 {
	if v.kind != scalar {
		return v.rows[0].Values
	}
	return constant(v.number, n)
}

func constant(v float64, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = v
	}
	return values
}

// combineRows treats a missing value as 0 if the other side, unless it is a number, has one.
func combineRows(f func(a, b float64) float64, a, b []float64, aNumber, bNumber bool) []float64 {
	out := make([]float64, len(a))
	for i := range out {
		x, y := a[i], b[i]
		noX, noY := math.IsNaN(x), math.IsNaN(y)
		switch {
		case noX && noY, noX && aNumber, noY && bNumber:
			out[i] = math.NaN()
			continue
		case noX:
			x = 0
		case noY:
			y = 0
		}
		if out[i] = f(x, y); math.IsInf(out[i], 0) {
			out[i] = math.NaN()
		}
	}
	return out
}

// each applies a function to every series of a value.
func (v Value) each(f func([]float64) []float64) Value {
	out := Value{kind: v.kind, rows: make([]Row, len(v.rows))}
	for i, r := range v.rows {
		out.rows[i] = Row{r.Label, f(r.Values)}
	}
	return out
}
