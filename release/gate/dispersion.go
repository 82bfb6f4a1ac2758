package gate

// Bounds of the dispersion, and what is assumed as long as too few bad windows
// were seen to tell: between independent requests (1) and clumps of five (5). By the
// simulation of the tests it keeps bad versions whose errors come in clumps from
// passing beside a stable version that has had no error.
const (
	MinDispersion     = 1
	MaxDispersion     = 10
	UnknownDispersion = 3
	// minBadWindows is how many windows with bad requests tell a dispersion, and
	// how many a version must have to fail: one clump is one event.
	minBadWindows = 3
)

// spreading accumulates what the dispersion of counts is computed from.
type spreading struct {
	sum     Counts
	squares float64 // Sum of bad²/requests.
	windows int     // With requests.
	bad     int     // With bad requests.
}

func (s *spreading) add(c Counts) {
	if c.Requests <= 0 {
		return
	}
	s.sum = s.sum.plus(c)
	s.squares += c.Bad * c.Bad / c.Requests
	s.windows++
	if c.Bad > 0 {
		s.bad++
	}
}

// value is Pearson's chi-square of the counts about their mean, by its degrees of
// freedom: 1 for independent requests, c for clumps of c bad ones.
func (s *spreading) value() (dispersion float64, known bool) {
	rate := s.sum.Rate()
	if s.windows < 2 || rate <= 0 || rate >= 1 {
		return MinDispersion, false
	}
	chi := (s.squares - s.sum.Bad*rate) / (rate * (1 - rate))
	return min(max(chi/float64(s.windows-1), MinDispersion), MaxDispersion), s.bad >= minBadWindows
}

// Dispersion estimates from the stable version's counts by how much those of bad
// requests vary more than independent ones: 1 to 10. known is false when fewer than
// three windows had a bad request; then the dispersion is at least
// UnknownDispersion.
func Dispersion(windows []Window) (dispersion float64, known bool) {
	var s spreading
	for _, w := range windows {
		s.add(w.Stable)
	}
	dispersion, known = s.value()
	if !known {
		dispersion = max(dispersion, UnknownDispersion)
	}
	return dispersion, known
}
