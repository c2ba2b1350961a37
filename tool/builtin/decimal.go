package builtin

import (
	"math"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

const (
	// maxDigits is how many digits a value may have, before and after the point together, and how large or small its
	// exponent may be: so 9^9^9^9 is an error at once.
	maxDigits = 500
	// roundedDigits is how many digits of an inexact result are shown (as many as IEEE 754 decimal128 has).
	roundedDigits = 34
	// workDigits is how many digits roots and fractional powers are computed with.
	workDigits = 60
	// trustedDigits is how many leading digits of an inexact value are taken for right.
	trustedDigits = 50
)

// decimal computes and remembers whether anything was rounded. It is used by one goroutine.
type decimal struct{ inexact bool }

func arithmetic(digits uint32) *apd.Context {
	return &apd.Context{
		Precision: digits, MaxExponent: maxDigits - 1, MinExponent: -maxDigits, Rounding: apd.RoundHalfEven,
		Traps: apd.DefaultTraps | apd.Subnormal | apd.Clamped,
	}
}

// done takes what an operation returned and turns its conditions into an error.
func (m *decimal) done(v *apd.Decimal, c apd.Condition, err error) (*apd.Decimal, error) {
	switch {
	case c.Overflow() || c.SystemOverflow() || c.DivisionImpossible():
		return nil, invalid("the result is too large")
	case c.Underflow() || c.SystemUnderflow() || c.Subnormal() || c.Clamped():
		return nil, invalid("the result is too small")
	case c.DivisionByZero() || c.DivisionUndefined():
		return nil, invalid("division by zero")
	case err != nil || v.Form != apd.Finite:
		return nil, invalid("the result is not a number")
	}
	if c.Inexact() {
		m.inexact = true
	}
	return v, nil
}

// read returns a number as written.
func (m *decimal) read(s string) (*apd.Decimal, error) {
	v, _, err := apd.NewFromString(s)
	if err != nil { // the parser has seen to the syntax
		return nil, invalid("a number is out of range")
	}
	c, err := arithmetic(maxDigits).Round(v, v)
	return m.done(v, c, err)
}

// final rounds an inexact result.
func (m *decimal) final(v *apd.Decimal) (*apd.Decimal, error) {
	c, err := arithmetic(roundedDigits).Round(v, v)
	return m.done(v, c, err)
}

// apply computes x op y.
func (m *decimal) apply(op rune, x, y *apd.Decimal) (*apd.Decimal, error) {
	a, v := arithmetic(maxDigits), new(apd.Decimal)
	var c apd.Condition
	var err error
	switch op {
	case '+':
		c, err = a.Add(v, x, y)
	case '-':
		c, err = a.Sub(v, x, y)
	case '*':
		c, err = a.Mul(v, x, y)
	case '/':
		c, err = a.Quo(v, x, y)
	case '%':
		c, err = a.Rem(v, x, y)
		if y.IsZero() {
			c = apd.DivisionByZero
		}
	case '^':
		return m.power(x, y)
	}
	v, err = m.done(v, c, err)
	if err == nil && m.inexact && (op == '+' || op == '-') && magnitude(v) < max(magnitude(x), magnitude(y))-trustedDigits {
		return new(apd.Decimal), nil // 1/3*3 - 1: what is left are the digits that were rounded
	}
	return v, err
}

// magnitude is the number of digits before the point, negative for zeros behind it.
func magnitude(v *apd.Decimal) int64 { return v.NumDigits() + int64(v.Exponent) }

// power computes x^y: by multiplication if y is whole, so that it is exact where it can be.
func (m *decimal) power(x, y *apd.Decimal) (*apd.Decimal, error) {
	if x.IsZero() {
		switch y.Sign() {
		case -1:
			return nil, invalid("division by zero")
		case 0:
			return apd.New(1, 0), nil
		}
		return new(apd.Decimal), nil
	}
	// The size of the result, roughly, before any time is spent on it.
	f, _ := y.Float64()
	switch size := f * log10(x); {
	case size > maxDigits+1:
		return nil, invalid("the result is too large")
	case size < -maxDigits-1:
		return nil, invalid("the result is too small")
	}
	var fraction apd.Decimal
	y.Modf(nil, &fraction)
	if fraction.IsZero() {
		if n, err := y.Int64(); err == nil && n > -1<<31 && n < 1<<31 {
			return m.wholePower(x, n)
		}
		return nil, invalid("the exponent is too large")
	}
	if x.Negative {
		return nil, invalid("a fractional power of a negative number is not a number")
	}
	if y.Cmp(apd.New(5, -1)) == 0 {
		return m.sqrt(x)
	}
	v := new(apd.Decimal)
	c, err := arithmetic(workDigits).Pow(v, m.short(x), m.short(y))
	m.inexact = true
	return m.done(v, c, err)
}

// short returns v with no more digits than roots and fractional powers need.
func (m *decimal) short(v *apd.Decimal) *apd.Decimal {
	out := new(apd.Decimal)
	if c, err := arithmetic(workDigits).Round(out, v); err != nil || c.Inexact() {
		m.inexact = true
	}
	return out
}

// log10 is the decimal logarithm of |x|, roughly; x is not zero.
func log10(x *apd.Decimal) float64 {
	digits := x.NumDigits()
	lead := apd.Decimal{Exponent: int32(-digits)}
	lead.Coeff.Set(&x.Coeff)
	f, _ := lead.Float64() // 0.1 … 1
	return math.Log10(f) + float64(digits) + float64(x.Exponent)
}

func (m *decimal) wholePower(x *apd.Decimal, n int64) (*apd.Decimal, error) {
	if n < 0 {
		v, err := m.wholePower(x, -n)
		if err != nil {
			return nil, err
		}
		return m.apply('/', apd.New(1, 0), v)
	}
	v, square := apd.New(1, 0), x
	for ; n > 0; n >>= 1 {
		var err error
		if n&1 == 1 {
			if v, err = m.apply('*', v, square); err != nil {
				return nil, err
			}
		}
		if n > 1 {
			if square, err = m.apply('*', square, square); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func (m *decimal) sqrt(x *apd.Decimal) (*apd.Decimal, error) {
	if x.Sign() < 0 {
		return nil, invalid("the square root of a negative number is not a number")
	}
	v := new(apd.Decimal)
	// Half the digits are enough for every exact root.
	if c, err := arithmetic(maxDigits/2).Sqrt(v, x); err != nil {
		return m.done(v, c, err)
	}
	v.Reduce(v)
	back := new(apd.Decimal)
	if _, err := apd.BaseContext.WithPrecision(maxDigits+1).Mul(back, v, v); err != nil || back.Cmp(x) != 0 {
		m.inexact = true
	}
	return m.done(v, 0, nil)
}

// to rounds x to a number of digits after the point.
func (m *decimal) to(x *apd.Decimal, digits int64, how apd.Rounder) (*apd.Decimal, error) {
	a, v := arithmetic(maxDigits), new(apd.Decimal)
	a.Rounding = how
	if m.inexact { // floor(1/3*3) is 1
		if _, err := arithmetic(trustedDigits).Round(x, x); err != nil {
			return nil, invalid("the result is too small")
		}
	}
	if int64(x.Exponent) >= -digits {
		return x, nil
	}
	c, err := a.Quantize(v, x, int32(-digits))
	return m.done(v, c&^(apd.Inexact|apd.Rounded|apd.Subnormal|apd.Clamped), err) // rounding is what was asked for
}

// functions is the table of functions, by name.
var functions = map[string]struct {
	least, most int // arguments
	call        func(*decimal, []*apd.Decimal) (*apd.Decimal, error)
}{
	"sqrt":  {1, 1, func(m *decimal, a []*apd.Decimal) (*apd.Decimal, error) { return m.sqrt(a[0]) }},
	"abs":   {1, 1, func(m *decimal, a []*apd.Decimal) (*apd.Decimal, error) { return a[0].Abs(a[0]), nil }},
	"floor": {1, 1, func(m *decimal, a []*apd.Decimal) (*apd.Decimal, error) { return m.to(a[0], 0, apd.RoundFloor) }},
	"ceil":  {1, 1, func(m *decimal, a []*apd.Decimal) (*apd.Decimal, error) { return m.to(a[0], 0, apd.RoundCeiling) }},
	"round": {1, 2, round},
	"min":   {1, maxExpression, func(_ *decimal, a []*apd.Decimal) (*apd.Decimal, error) { return pick(a, -1), nil }},
	"max":   {1, maxExpression, func(_ *decimal, a []*apd.Decimal) (*apd.Decimal, error) { return pick(a, 1), nil }},
}

// round rounds halves away from zero, as people do.
func round(m *decimal, a []*apd.Decimal) (*apd.Decimal, error) {
	var digits int64
	if len(a) == 2 {
		var err error
		if digits, err = a[1].Int64(); err != nil || digits < -maxDigits || digits > maxDigits {
			return nil, invalid("round needs a whole number of digits, %d at most", maxDigits)
		}
	}
	return m.to(a[0], digits, apd.RoundHalfUp)
}

func pick(a []*apd.Decimal, sign int) *apd.Decimal {
	best := a[0]
	for _, v := range a[1:] {
		if v.Cmp(best) == sign {
			best = v
		}
	}
	return best
}

// plain writes a number without exponent, needless zeros or a negative zero.
func plain(v *apd.Decimal) string {
	if v.IsZero() {
		return "0"
	}
	s := v.Text('f')
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
