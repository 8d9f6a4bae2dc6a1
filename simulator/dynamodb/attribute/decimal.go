package attribute

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
)

// DynamoDB's numbers: up to 38 significant digits, magnitude 1E-130 to 9.99…E+125.
// Source: "Supported data types", DynamoDB developer guide.
const (
	maxDigits = 38
	// Bounds of Decimal.exp, for 0.99… × 10^126 and 0.1 × 10^-129. They enclose 256 values, which fit the one byte that
	// sortKey has for the exponent.
	maxMagnitude = 126
	minMagnitude = -129
)

// Decimal is an exact decimal number, ±0.digits × 10^exp, where digits neither starts nor ends with a zero. Zero has no
// digits.
type Decimal struct {
	negative bool
	digits   string
	exp      int
}

// ParseDecimal reads a number in the form that DynamoDB accepts: sign, digits, fraction, exponent. The error is an
// *Error with AWS's text.
func ParseDecimal(text string) (Decimal, error) {
	mantissa, exponent, ok := cutExponent(text)
	if !ok {
		return Decimal{}, notANumber(text)
	}
	d := Decimal{}
	if mantissa != "" && (mantissa[0] == '-' || mantissa[0] == '+') {
		d.negative = mantissa[0] == '-'
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return Decimal{}, notANumber(text)
	}
	d.digits, d.exp = whole+fraction, len(whole)+exponent
	return d.normalized().checked()
}

// cutExponent splits "12.5e3" into "12.5" and 3.
func cutExponent(text string) (mantissa string, exponent int, ok bool) {
	i := strings.IndexAny(text, "eE")
	if i < 0 {
		return text, 0, true
	}
	exponent, err := strconv.Atoi(text[i+1:])
	if err != nil || strings.Contains(text[i+1:], "_") {
		return "", 0, false
	}
	// Clamped, so that adding a length cannot overflow; an exponent this large is out of range in any case.
	return text[:i], min(max(exponent, -1_000_000), 1_000_000), true
}

func notANumber(text string) error {
	if text == "" {
		return Errorf("The parameter cannot be converted to a numeric value")
	}
	return Errorf("The parameter cannot be converted to a numeric value: %s", text)
}

var errOverflow = Errorf("Number overflow. Attempting to store a number with magnitude larger than supported range")

// normalized strips zeros at both ends, and the sign of zero, so that equal numbers are equal structs.
func (d Decimal) normalized() Decimal {
	significant := strings.TrimLeft(d.digits, "0")
	d.exp -= len(d.digits) - len(significant)
	d.digits = strings.TrimRight(significant, "0")
	if d.digits == "" {
		return Decimal{}
	}
	return d
}

// checked refuses a number that DynamoDB can't store.
func (d Decimal) checked() (Decimal, error) {
	switch {
	case d.digits == "":
		return d, nil
	case len(d.digits) > maxDigits:
		return Decimal{}, Errorf("Attempting to store more than 38 significant digits in a Number")
	case d.exp > maxMagnitude:
		return Decimal{}, errOverflow
	case d.exp < minMagnitude:
		return Decimal{}, Errorf("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	return d, nil
}

// String returns the canonical form in which DynamoDB answers: plain digits, never an exponent.
func (d Decimal) String() string {
	if d.digits == "" {
		return "0"
	}
	sign := ""
	if d.negative {
		sign = "-"
	}
	switch n := len(d.digits); {
	case d.exp <= 0:
		return sign + "0." + strings.Repeat("0", -d.exp) + d.digits
	case d.exp >= n:
		return sign + d.digits + strings.Repeat("0", d.exp-n)
	default:
		return sign + d.digits[:d.exp] + "." + d.digits[d.exp:]
	}
}

// Compare orders two decimals by value.
func (d Decimal) Compare(e Decimal) int {
	if s := cmp.Compare(d.sign(), e.sign()); s != 0 || d.digits == "" {
		return s
	}
	magnitude := cmp.Or(cmp.Compare(d.exp, e.exp), strings.Compare(d.digits, e.digits))
	return magnitude * d.sign()
}

func (d Decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// Add returns the sum. The error is an *Error: the sum leaves the range, or needs more than 38 digits, which AWS calls
// an overflow, too.
func (d Decimal) Add(e Decimal) (Decimal, error) {
	// Both are scaled to the finer of the two scales: at most some 300 digits.
	scale := min(d.scale(), e.scale())
	sum := new(big.Int).Add(d.scaled(scale), e.scaled(scale))
	text := sum.Text(10)
	negative := strings.HasPrefix(text, "-")
	text = strings.TrimPrefix(text, "-")
	result := Decimal{negative: negative, digits: text, exp: len(text) + scale}.normalized()
	if len(result.digits) > maxDigits {
		return Decimal{}, errOverflow
	}
	return result.checked()
}

// Sub returns the difference; its errors are those of Add.
func (d Decimal) Sub(e Decimal) (Decimal, error) {
	e.negative = !e.negative && e.digits != ""
	return d.Add(e)
}

// scale is the power of ten of the last digit.
func (d Decimal) scale() int { return d.exp - len(d.digits) }

// scaled returns the number as a multiple of 10^scale, which must not be coarser than d.scale().
func (d Decimal) scaled(scale int) *big.Int {
	n := new(big.Int)
	if d.digits == "" {
		return n
	}
	n.SetString(d.digits+strings.Repeat("0", d.scale()-scale), 10)
	if d.negative {
		n.Neg(n)
	}
	return n
}
