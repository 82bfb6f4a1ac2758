package gate

import "gonum.org/v1/gonum/mathext"

// Interval returns the Clopper-Pearson interval of the share of bad requests, 0 to
// 1, at a two-sided confidence such as 0.95. It is exact for independent requests
// and never too narrow. Counts need not be whole: those of clumped requests are
// divided by their dispersion. Without requests it is 0 to 1.
func Interval(c Counts, confidence float64) (low, high float64) {
	if c.Requests <= 0 {
		return 0, 1
	}
	bad := min(max(c.Bad, 0), c.Requests)
	tail := (1 - confidence) / 2
	if bad > 0 {
		low = mathext.InvRegIncBeta(bad, c.Requests-bad+1, tail)
	}
	high = 1
	if bad < c.Requests {
		high = mathext.InvRegIncBeta(bad+1, c.Requests-bad, 1-tail)
	}
	return low, high
}
