package attribute_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"heliograph/simulator/dynamodb/attribute"
)

// TestDecimalIsNormalized proves that a number comes back in DynamoDB's canonical form.
func TestDecimalIsNormalized(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"0": "0", "-0": "0", "0.000": "0", "0e9": "0", "1": "1", "+1": "1", "-1.50": "-1.5", "007": "7", ".5": "0.5",
		"5.": "5", "100": "100", "1e2": "100", "1E+2": "100", "12.5e-1": "1.25", "1e-3": "0.001", "100.000": "100",
		"1e125":                         "1" + strings.Repeat("0", 125),
		"1e-130":                        "0." + strings.Repeat("0", 129) + "1",
		strings.Repeat("9", 38):         strings.Repeat("9", 38),
		strings.Repeat("1", 38) + "000": strings.Repeat("1", 38) + "000",
	}
	for text, want := range tests {
		d, err := attribute.ParseDecimal(text)
		if err != nil || d.String() != want {
			t.Errorf("%q is %q, %v; want %q", text, d, err, want)
		}
	}
}

// TestDecimalIsRefused proves that text that is not a number, and numbers that DynamoDB can't hold, are refused in
// AWS's words.
func TestDecimalIsRefused(t *testing.T) {
	t.Parallel()
	const (
		overflow  = "Number overflow. Attempting to store a number with magnitude larger than supported range"
		underflow = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
		precision = "Attempting to store more than 38 significant digits in a Number"
		nothing   = "The parameter cannot be converted to a numeric value"
	)
	tests := map[string]string{
		"": nothing, "abc": nothing + ": abc", " 1": nothing + ":  1", "1 ": nothing + ": 1 ", "NaN": nothing + ": NaN",
		"0x10": nothing + ": 0x10", "1_000": nothing + ": 1_000", "1e": nothing + ": 1e", "1e1_0": nothing + ": 1e1_0",
		".": nothing + ": .", "-": nothing + ": -", "1.2.3": nothing + ": 1.2.3", "--1": nothing + ": --1", "1e1.5": nothing + ": 1e1.5",
		"1e126": overflow, "-11e125": overflow, "1e100000000": overflow, "1e-131": underflow, "0.9e-130": underflow,
		strings.Repeat("1", 39): precision, "1" + strings.Repeat("0", 37) + ".1": precision,
	}
	for text, want := range tests {
		_, err := attribute.ParseDecimal(text)
		if e, ok := errors.AsType[*attribute.Error](err); !ok || e.Message != want {
			t.Errorf("%q gives %v, want %s", text, err, want)
		}
	}
}

// decimals draws decimals of every sign, length and magnitude, as text.
func decimals() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		digits := rapid.StringMatching(`[1-9][0-9]{0,37}`).Draw(t, "digits")
		if rapid.Bool().Draw(t, "short") {
			digits = rapid.StringMatching(`[0-9]{1,2}`).Draw(t, "digits")
		}
		sign := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "sign")
		// The first digit's power of ten stays within the range.
		exp := rapid.IntRange(-130, 125).Draw(t, "exp") - (len(digits) - 1)
		return fmt.Sprintf("%s%se%d", sign, digits, exp)
	})
}

func rat(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("no number: " + text)
	}
	return r
}

func sign(n int) int { return cmp.Compare(n, 0) }

// TestDecimalAgreesWithBig proves that text, order and key encoding agree with exact arithmetic.
func TestDecimalAgreesWithBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := decimals().Draw(t, "a"), decimals().Draw(t, "b")
		da, err := attribute.ParseDecimal(a)
		if err != nil {
			t.Skip("leading zeros may take it out of the range")
		}
		db, err := attribute.ParseDecimal(b)
		if err != nil {
			t.Skip("leading zeros may take it out of the range")
		}
		if rat(da.String()).Cmp(rat(a)) != 0 {
			t.Fatalf("%s became %s", a, da)
		}
		want := rat(a).Cmp(rat(b))
		if got := da.Compare(db); got != want {
			t.Fatalf("%s compared with %s is %d, want %d", a, b, got, want)
		}
		ka, kb := attribute.NumberOf(da).SortKey(), attribute.NumberOf(db).SortKey()
		if got := sign(strings.Compare(ka, kb)); got != want {
			t.Fatalf("key of %s compared with that of %s is %d, want %d", a, b, got, want)
		}
	})
}

// TestNumbersAsKeys proves the order of numbers in a key: by value, however much their encodings share.
func TestNumbersAsKeys(t *testing.T) {
	t.Parallel()
	ordered := strings.Fields("-1e125 -12 -11 -1.5 -1.01 -1 -0.5 -1e-130 0 1e-130 0.5 1 1.01 1.5 11 12 99 100 1e125")
	for i, text := range ordered[1:] {
		lower, _ := attribute.ParseDecimal(ordered[i])
		higher, _ := attribute.ParseDecimal(text)
		if attribute.NumberOf(lower).SortKey() >= attribute.NumberOf(higher).SortKey() {
			t.Errorf("%s does not stand before %s", ordered[i], text)
		}
	}
}

// TestDecimalAddsExactly proves that sums and differences are exact or an error.
func TestDecimalAddsExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := decimals().Draw(t, "a"), decimals().Draw(t, "b")
		da, errA := attribute.ParseDecimal(a)
		db, errB := attribute.ParseDecimal(b)
		if errA != nil || errB != nil {
			t.Skip("leading zeros may take it out of the range")
		}
		check := func(what string, got attribute.Decimal, err error, want *big.Rat) {
			held, parseErr := attribute.ParseDecimal(want.FloatString(260))
			switch {
			case (err == nil) != (parseErr == nil):
				t.Fatalf("%s of %s and %s: %v; but %s gives %v", what, a, b, err, want.FloatString(260), parseErr)
			case err == nil && got != held:
				t.Fatalf("%s of %s and %s is %s, want %s", what, a, b, got, held)
			}
		}
		sum, err := da.Add(db)
		check("sum", sum, err, new(big.Rat).Add(rat(a), rat(b)))
		difference, err := da.Sub(db)
		check("difference", difference, err, new(big.Rat).Sub(rat(a), rat(b)))
	})
}
