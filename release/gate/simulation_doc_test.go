package gate

import (
	"bytes"
	"flag"
	"fmt"
	"image/color"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	document = "../../docs/RELEASES.md"
	picture  = "../../docs/gates.svg"
	trials   = 2000
	// The shares of failed requests up to which a version is healthy, and from
	// which it is bad.
	healthyShare, badShare = 0.005, 0.015
	// wrongVerdicts is the share of them that is allowed.
	wrongVerdicts = 0.01
)

var (
	update = flag.Bool("update", false, "rewrite the tables and the plot of docs/RELEASES.md")

	rates  = []float64{0.1, 0.3, 1, 3, 10, 30, 100}
	shares = []float64{0, 0.002, 0.005, 0.01, 0.015, 0.02, 0.05}
	clumps = []int{1, 5}
)

// result is the outcome of a cell.
type result struct {
	cell
	outcome
}

func run(t *testing.T, rates, shares []float64, trials int) []result {
	t.Helper()
	var all []result
	for _, clump := range clumps {
		for _, rate := range rates {
			for _, share := range shares {
				c := cell{rate, share, clump}
				// Each cell has a seed of its own, so that cells may be added.
				seed := rand.NewPCG(uint64(rate*1000), uint64(share*1e6)<<8|uint64(clump))
				all = append(all, result{c, simulate(c, trials, rand.New(seed))})
			}
		}
	}
	return all
}

// checkErrors asserts what is promised about verdicts.
func checkErrors(t *testing.T, all []result) {
	t.Helper()
	checked := 0
	for _, r := range all {
		name := fmt.Sprintf("%v requests/s, %v failed, clumps of %d", r.rate, r.share, r.clump)
		if r.share <= healthyShare {
			checked++
			assert.LessOrEqual(t, of(r.rolledBack, r.trials), wrongVerdicts, "%s: rolled back", name)
		}
		if r.share >= badShare {
			checked++
			assert.LessOrEqual(t, of(r.promoted, r.trials), wrongVerdicts, "%s: promoted", name)
		}
	}
	require.NotZero(t, checked)
}

func of(n, trials int) float64 { return float64(n) / float64(trials) }

func TestSimulation(t *testing.T) {
	t.Run("few_trials", func(t *testing.T) {
		all := run(t, []float64{0.1, 1, 10}, []float64{0.002, 0.005, 0.015, 0.05}, 200)
		checkErrors(t, all)
		// A test that never decides makes no mistakes, either.
		for _, r := range all {
			if r.rate == 10 && r.share == 0.002 {
				assert.Equal(t, r.trials, r.promoted, "a healthy version of a busy service is promoted")
			}
			if r.rate == 10 && r.share == 0.05 {
				assert.Equal(t, r.trials, r.rolledBack, "a bad version of a busy service is rolled back")
			}
		}
	})
	t.Run("every_cell", func(t *testing.T) {
		if testing.Short() {
			t.Skip("2,000 trials a cell take some ten seconds")
		}
		all := run(t, rates, shares, trials)
		checkErrors(t, all)
		if runtime.GOARCH != "amd64" {
			t.Skip("other architectures round differently: their figures are not those of the document")
		}
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		want, err := replace(string(text), table(all))
		require.NoError(t, err)
		drawing, err := drawn(all)
		require.NoError(t, err)
		if *update {
			require.NoError(t, os.WriteFile(document, []byte(want), 0o644))
			require.NoError(t, os.WriteFile(picture, drawing, 0o644))
			return
		}
		assert.Equal(t, want, string(text), "rewrite it with `go test ./release/gate -run TestSimulation -update`")
		kept, err := os.ReadFile(picture)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(drawing, kept), "rewrite docs/gates.svg with -update")
	})
}

const (
	begin = "<!-- The table below is written by go test ./release/gate -run TestSimulation -update. -->\n"
	end   = "<!-- End of the table. -->\n"
)

// replace puts a table between the marks of the document.
func replace(text, table string) (string, error) {
	before, rest, found := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", fmt.Errorf("%s has not the marks of the table", document)
	}
	return before + begin + table + end + after, nil
}

// table is the outcome of all cells in Markdown.
func table(all []result) string {
	var text strings.Builder
	for _, clump := range clumps {
		title := "Errors independent of each other:"
		if clump > 1 {
			title = fmt.Sprintf("Errors in clumps of %d:", clump)
		}
		fmt.Fprintf(&text, "\n%s\n\n", title)
		text.WriteString("| requests/s to the canary | true error rate | rolled back | promoted | undecided | verdict after (median, 95 %) | threshold rule: rolled back | promoted |\n")
		text.WriteString("|---:|---:|---:|---:|---:|---|---:|---:|\n")
		for _, r := range all {
			if r.clump != clump {
				continue
			}
			kind := ""
			if r.share <= healthyShare {
				kind = " (healthy)"
			} else if r.share >= badShare {
				kind = " (bad)"
			}
			fmt.Fprintf(&text, "| %v | %s%s | %s | %s | %s | %s | %s | %s |\n", r.rate, Percent(r.share), kind,
				share(r.rolledBack, r.trials), share(r.promoted, r.trials), share(r.trials-r.rolledBack-r.promoted, r.trials), times(r.verdicts),
				share(r.thresholdRolledBack, r.trials), share(r.trials-r.thresholdRolledBack, r.trials))
		}
	}
	text.WriteString("\n")
	return text.String()
}

func share(n, trials int) string { return fmt.Sprintf("%.1f %%", 100*of(n, trials)) }

// times are the median and the 95th percentile of sorted durations.
func times(sorted []time.Duration) string {
	if len(sorted) == 0 {
		return "-"
	}
	at := func(q float64) string {
		return fmt.Sprintf("%.1f min", sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Minutes())
	}
	return at(0.5) + ", " + at(0.95)
}

func rateTicks() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, rate := range rates {
		ticks = append(ticks, plot.Tick{Value: rate, Label: fmt.Sprint(rate)})
	}
	return ticks
}

// drawn is the share of wrong verdicts by rate, of the test and of the threshold
// rule, as SVG.
func drawn(all []result) ([]byte, error) {
	const width, height = 9 * vg.Inch, 4 * vg.Inch
	canvas := vgsvg.NewWith(vgsvg.UseWH(width, height))
	tiles := draw.Tiles{Rows: 1, Cols: len(clumps), PadX: 6 * vg.Millimeter, PadRight: 4 * vg.Millimeter, PadTop: 2 * vg.Millimeter}
	plots := [][]*plot.Plot{make([]*plot.Plot, len(clumps))}
	for i, clump := range clumps {
		p := plot.New()
		p.Title.Text = "Wrong verdicts, independent errors"
		if clump > 1 {
			p.Title.Text = fmt.Sprintf("Wrong verdicts, errors in clumps of %d", clump)
		}
		p.X.Label.Text, p.Y.Label.Text = "requests/s to the canary", "% of releases"
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, rateTicks()
		p.Y.Min, p.Y.Max = 0, 100
		p.Legend.Top, p.Legend.Padding = true, vg.Points(3)
		p.Add(plotter.NewGrid())
		for _, l := range []struct {
			name   string
			share  float64
			color  color.Color
			dashed bool
			count  func(result) int
		}{
			{"0.5 % failed, rolled back: threshold", healthyShare, color.RGBA{R: 180, G: 80, A: 255}, true, func(r result) int { return r.thresholdRolledBack }},
			{"1.5 % failed, promoted: threshold", badShare, color.RGBA{R: 160, B: 160, A: 255}, true, func(r result) int { return r.trials - r.thresholdRolledBack }},
			{"0.5 % failed, rolled back: test", healthyShare, color.RGBA{B: 200, A: 255}, false, func(r result) int { return r.rolledBack }},
			{"1.5 % failed, promoted: test", badShare, color.RGBA{G: 130, A: 255}, false, func(r result) int { return r.promoted }},
		} {
			var points plotter.XYs
			for _, r := range all {
				if r.clump == clump && r.share == l.share {
					points = append(points, plotter.XY{X: r.rate, Y: 100 * of(l.count(r), r.trials)})
				}
			}
			line, dots, err := plotter.NewLinePoints(points)
			if err != nil {
				return nil, err
			}
			line.Color, dots.Color = l.color, l.color
			line.Width = vg.Points(1.5)
			if l.dashed {
				line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
			}
			p.Add(line, dots)
			p.Legend.Add(l.name, line, dots)
		}
		plots[0][i] = p
	}
	for i, c := range plot.Align(plots, tiles, draw.New(canvas))[0] {
		plots[0][i].Draw(c)
	}
	var text bytes.Buffer
	_, err := canvas.WriteTo(&text)
	return text.Bytes(), err
}
