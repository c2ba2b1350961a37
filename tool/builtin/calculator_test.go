package builtin

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/tool"
)

func TestCalculate(t *testing.T) {
	third := "0." + strings.Repeat("3", 34)
	for in, want := range map[string]string{
		"17*24": "408", "0.1+0.2": "0.3", "1/3": "~" + third, "2/3": "~0." + strings.Repeat("6", 33) + "7",
		"1/3*3": "~1", "(1/3)*3 - 1": "~0", "8^(1/3) - 2": "~0", "floor(1/3*3)": "~1", "round(2/3, 2)": "~0.67", "1e60+1-1e60": "1", "sqrt(2)^2-2": "~0", "10/4": "2.5", "1/1024": "0.0009765625", "1 - 1": "0", "-0": "0", "0*-5": "0",
		"2+3*4": "14", "(2+3)*4": "20", "2 - 3 - 4": "-5", "100/10/2": "5", "7%3": "1", "-7 % 3": "-1", "7.5 % 2": "1.5", "10 % -3": "1",
		"2^10": "1024", "2^3^2": "512", "-2^2": "-4", "(-2)^3": "-8", "2^-2": "0.25", "0^0": "1", "0^5": "0", "3^-1": "~" + third,
		"4^0.5": "2", "2^0.5": "~1.414213562373095048801688724209698", "8^(1/3)": "~2", "1.5^1.5": "~1.837117307087383573647963056029419",
		"2^100": "1267650600228229401496703205376", "1^1e6": "1", "1^999999999": "1", "(-1)^1000001": "-1",
		"sqrt(16)": "4", "sqrt(2)": "~1.414213562373095048801688724209698", "sqrt(0.25)": "0.5", "sqrt(0)": "0", "sqrt(1e100)": "1" + strings.Repeat("0", 50),
		"sqrt(1e-50)": "0." + strings.Repeat("0", 24) + "1",
		"abs(-3.50)":  "3.5", "round(2.5)": "3", "round(-2.5)": "-3", "round(2.345, 2)": "2.35", "round(1234, -2)": "1200", "round(1.5, 400)": "1.5", "round(0.4)": "0", "round(-0.4)": "0", "round(99.99, 1)": "100",
		"floor(-1.5)": "-2", "ceil(1.2)": "2", "ceil(-0.5)": "0", "min(3, 1, 2)": "1", "max(1,234)": "234", "max((1,234), 5)": "1234", "MAX(1)": "1",
		"1,234,567.50 + 1": "1234568.5", "12,345*2": "24690", "17 × 24": "408", "9 ÷ 3": "3", "5 − 7": "-2", "2**3": "8", "√(9)": "3", "17*24 =": "408",
		"1e3": "1000", "1.5E-3": "0.0015", ".5": "0.5", "5.": "5", "--5": "5", "+-+5": "-5", "3 - -2": "5", " \u00a01\t+\n1 ": "2",
		"12345678901234567890123456789012345678901 * 10 + 1":                                "123456789012345678901234567890123456789011",
		"99999999999999999999999999999999999999 + 0.00000000000000000000000000000000000001": "99999999999999999999999999999999999999.00000000000000000000000000000000000001",
		"0 * 1e-400 * 1e-400": "0", "0 / 1e400": "0", "1e499 - 1e499": "0", "1e-400 - 1e-400": "0", "1e499+1e-499": "~1" + strings.Repeat("0", 499),
	} {
		got, exact, err := calculate(in)
		if !exact {
			got = "~" + got
		}
		if err != nil || got != want {
			t.Errorf("%s = %s (%v), want %s", in, got, err, want)
		}
	}
}

func TestCalculateRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"": "empty", "  ": "empty", "1 +": "too early", "(1": "too early", "1)": `unexpected ')'`, "1 2": "unexpected '2'", "2(3)": "unexpected '('",
		"1/0": "division by zero", "0/0": "division by zero", "5%0": "division by zero", "0^-1": "division by zero", "15%": "15/100", "15% * 3": "15/100",
		"9^9^9^9": "too large", "9^9^9": "too large", "10^500": "too large", "1e500": "too large", "1e9999 + 1": "too large", "2^-5000": "too small", "0.5^5000": "too small",
		"1e-600": "too small", "1e400*1e400": "too large", "1e-400*1e-400": "too small", "1e9999999": "bad exponent", "1e-9999": "too small", "1e9999": "too large", "1e": "bad exponent", "2^1e300": "too large", "1e300^1.9": "too large", "(1+1e-400)^1e30": "exponent is too large",
		"sqrt(-1)": "not a number", "(-8)^(1/3)": "not a number", "(-8)^0.5": "not a number",
		"1,23": "misplaced comma", "1234,567": "misplaced comma", "1,,234": "misplaced comma", "1,2345": "misplaced comma", "1.2.3": "unexpected", ".": "too early", "1,234.5,6": "unexpected ','",
		"foo(1)": "unknown word", "x + 1": "unknown word", "sqrt 2": "needs parentheses", "sqrt(1,2)": "wrong number", "round(1,2,3)": "wrong number", "max()": "unexpected", "round(1, 0.5)": "whole number", "round(1, 1e9)": "whole number",
		"0x10": "unexpected 'x'", "1;2": "unexpected", "\x00": "unexpected character at 1", "1 = 1": "unexpected", "٣": "unexpected",
		strings.Repeat("(", 101) + "1" + strings.Repeat(")", 101): "nested deeper", strings.Repeat("2^", 200) + "1": "nested deeper",
		strings.Repeat("1", 1001): "longer than 1000",
	} {
		got, _, err := calculate(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s = %s (%v), want an error with %q", in, got, err, want)
		}
	}
	if _, _, err := calculate(strings.Repeat("(", 99) + "1" + strings.Repeat(")", 99)); err != nil {
		t.Errorf("99 parentheses: %v", err)
	}
	if _, _, err := calculate(strings.Repeat("-", 999) + "1"); err != nil {
		t.Errorf("999 signs: %v", err)
	}
}

func TestCalculatorCall(t *testing.T) {
	d := Calculator{}.Definition()
	if !d.Idempotent || d.Approval {
		t.Errorf("%+v", d)
	}
	out, err := Calculator{}.Call(t.Context(), tool.Invocation{Arguments: json.RawMessage(`{"expression":"17*24"}`)})
	if want := `{"expression":"17*24","result":"408","exact":true}`; err != nil || string(out) != want {
		t.Errorf("%s %v", out, err)
	}
}

// FuzzCalculate compares exact results with math/big, and finds expressions that panic or never end.
func FuzzCalculate(f *testing.F) {
	for _, s := range []string{"1+2*3", "(1.5-2)^3/7", "max(1,2)%3", "sqrt(2)^0.3", "1,234^-2", "round(7/3,5)", "9^9^9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, _, err := calculate(s)
		if err != nil {
			return
		}
		if len(got) > 2*maxDigits+3 || strings.ContainsAny(got, "eE") {
			t.Fatalf("%q = %s", s, got)
		}
		again, _, err := calculate(got)
		if err != nil || again != got {
			t.Fatalf("%q = %s, which is %s (%v)", s, got, again, err)
		}
	})
}

// TestCalculateExactly compares random chains of operations with rational arithmetic.
func TestCalculateExactly(t *testing.T) {
	next := uint32(1)
	random := func(n uint32) int64 { next = next*1664525 + 1013904223; return int64(next >> 8 % n) }
	for range 500 {
		want := big.NewRat(random(1000), 100)
		in := want.FloatString(2)
		for range random(6) {
			v := big.NewRat(random(100000), 1000)
			switch random(3) {
			case 0:
				in, want = fmt.Sprintf("(%s) + %s", in, v.FloatString(3)), want.Add(want, v)
			case 1:
				in, want = fmt.Sprintf("(%s) - %s", in, v.FloatString(3)), want.Sub(want, v)
			default:
				in, want = fmt.Sprintf("(%s) * %s", in, v.FloatString(3)), want.Mul(want, v)
			}
		}
		got, exact, err := calculate(in)
		if r, ok := new(big.Rat).SetString(got); err != nil || !exact || !ok || r.Cmp(want) != 0 {
			t.Fatalf("%s = %s (%v, %v), want %s", in, got, exact, err, want.FloatString(20))
		}
	}
}

func BenchmarkCalculateWorst(b *testing.B) {
	for _, s := range []string{
		strings.Repeat("sqrt(", 90) + "2" + strings.Repeat(")", 90),
		"2" + strings.Repeat("^.3", 90),
		strings.Repeat("2^.3+", 190) + "1",
		strings.Repeat("1e9^-1e1+", 110) + "1",
		strings.Repeat("(1/3)^999+", 99) + "1",
	} {
		b.Run(s[:10], func(b *testing.B) {
			for b.Loop() {
				if _, _, err := calculate(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
