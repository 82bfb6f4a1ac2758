// Package gate judges a version of a service by what its requests did: it turns
// counters of Prometheus into counts per window, and counts into a verdict with
// its evidence. It is pure: no clock, no network, no random numbers.
//
// # The verdict
//
// Each signal is a share of bad requests: answered with a 5xx status, slower than
// the limit of the 95th percentile ("more than 5 % slower than 0.5 s" is the same
// as "P95 above 0.5 s"), or slower than that of the 99th. Test adds up, window by
// window, the log likelihood ratio of a bad version against a healthy one (Wald,
// Sequential Tests of Statistical Hypotheses, 1945). That statistic may be looked
// at after every window without inflating the errors of the verdict, which a
// threshold that is checked again and again cannot.
//
//   - Pass: the evidence for a healthy version is strong enough. A later regression
//     still counts.
//   - Fail: the evidence for a bad version is strong enough; or the documented
//     trigger holds (above the limit for five minutes) and the confidence interval
//     agrees; or the version is worse than the stable one beside it and above the
//     target.
//   - Hold: neither. No data is always Hold.
//
// Requests fail together: one broken connection fails all that it carries. Counts
// of such clumps vary more than independent ones, by the factor that Dispersion
// estimates from the stable version, and every statistic is divided by it.
package gate
