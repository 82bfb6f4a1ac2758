package report

import (
	"bytes"
	"fmt"
	"image/color"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"nova.dev/infra/release"
	"nova.dev/infra/release/gate"
)

// figure is a plot of one signal of all services in one phase.
type figure struct {
	Title string
	// Alt says in words what the plot shows.
	Alt string
	// SVG is the drawing, without the prologue of a document of its own.
	SVG string
	// Legend are the lines that have a color of their own.
	Legend []legend
	// Others is how many lines have none.
	Others int
}

type legend struct{ Name, Color string }

// The size of a plot, chosen so that its text can be read on a phone, where the page
// scales it to the width of the screen.
const (
	plotWidth  = 5.2 * vg.Inch
	plotHeight = 2.7 * vg.Inch
	textSize   = 10
)

// palette are the colors of Okabe and Ito, which people with color blindness tell
// apart. A page with a dark background inverts them.
var palette = []color.RGBA{
	{0xd5, 0x5e, 0x00, 255}, {0x00, 0x72, 0xb2, 255}, {0x00, 0x9e, 0x73, 255},
	{0xcc, 0x79, 0xa7, 255}, {0xe6, 0x9f, 0x00, 255}, {0x56, 0xb4, 0xe9, 255},
}

var (
	plain  = color.RGBA{0x9a, 0x9a, 0x9a, 255}
	border = color.RGBA{0xc0, 0x00, 0x00, 255}
)

// figuresOf are the plots of a phase: errors and latency against their limits.
func figuresOf(r release.Record, p release.Phase) ([]figure, error) {
	var all []figure
	for _, signal := range []gate.Signal{gate.Errors, gate.Latency} {
		var gates []release.Gate
		for _, g := range gatesOf(r, p) {
			if g.Evidence.Signal == signal && len(g.Course) > 0 {
				gates = append(gates, g)
			}
		}
		if len(gates) == 0 {
			continue
		}
		f, err := drawn(gates, signal)
		if err != nil {
			return nil, fmt.Errorf("plot of %s in phase %s: %w", signal, p, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// drawn draws the gates of one signal in one phase. Those that did not pass, which
// come first, have a color of their own; where all can have one, they do.
func drawn(gates []release.Gate, signal gate.Signal) (figure, error) {
	f := figure{Title: "Failed requests, %"}
	limits := gates[0].Evidence.Limits
	if signal == gate.Latency {
		f.Title = fmt.Sprintf("Requests slower than %s, %%", limits.Above)
	}
	p := canvas()
	highest, at := 0.0, gates[0]
	unit, unitName := timeUnit(gates)
	var lines []plot.Plotter
	for i, g := range gates {
		line, most, err := lineOf(g, unit)
		if err != nil {
			return f, err
		}
		if most > highest {
			highest, at = most, g
		}
		line.Color = plain
		if i < len(palette) && (len(gates) <= len(palette) || g.Evidence.Verdict != gate.Pass) {
			c := palette[i]
			line.Color, line.Width = c, vg.Points(1.8)
			f.Legend = append(f.Legend, legend{g.Service, fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)})
		} else {
			f.Others++
		}
		// The lines that matter are drawn last, over the others.
		lines = append([]plot.Plotter{line}, lines...)
	}
	p.Add(plotter.NewGrid())
	p.Add(lines...)
	p.X.Label.Text = unitName + " since the beginning of the phase"
	p.X.Min, p.Y.Min = 0, 0
	p.X.Max = longest(gates).Seconds() / unit.Seconds() // Without any request there is no point.
	p.Y.Max = max(100*highest*1.1, 100*limits.Limit*1.5)
	limit, err := limitOf(p, limits.Limit)
	if err != nil {
		return f, err
	}
	p.Add(limit)
	f.Alt = fmt.Sprintf("%s, of the new version of %d services. The limit is %s; the highest value is %s, of %s.",
		f.Title, len(gates), gate.Percent(limits.Limit), gate.Percent(highest), at.Service)
	f.SVG, err = svg(p)
	return f, err
}

// lineOf is the share of bad requests of the new version over time, in percent, with
// its highest value, 0 to 1. Windows without requests have none.
func lineOf(g release.Gate, unit time.Duration) (line *plotter.Line, highest float64, err error) {
	var points plotter.XYs
	for _, w := range g.Course {
		if w.Canary.Requests > 0 {
			points = append(points, plotter.XY{X: w.At.Sub(g.Since).Seconds() / unit.Seconds(), Y: 100 * w.Canary.Rate()})
			highest = max(highest, w.Canary.Rate())
		}
	}
	line = &plotter.Line{XYs: points, LineStyle: draw.LineStyle{Width: vg.Points(0.8)}}
	for _, point := range points {
		if err := plotter.CheckFloats(point.X, point.Y); err != nil {
			return nil, 0, err
		}
	}
	return line, highest, nil
}

// limitOf is the line of a limit, 0 to 1, over the whole width of a plot.
func limitOf(p *plot.Plot, limit float64) (*plotter.Line, error) {
	line, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: 100 * limit}, {X: p.X.Max, Y: 100 * limit}})
	if err != nil {
		return nil, err
	}
	line.Color, line.Width, line.Dashes = border, vg.Points(1.5), []vg.Length{vg.Points(5), vg.Points(3)}
	return line, nil
}

// timeUnit is what time is plotted in.
func timeUnit(gates []release.Gate) (unit time.Duration, name string) {
	if longest(gates) < 3*time.Minute {
		return time.Second, "seconds"
	}
	return time.Minute, "minutes"
}

// longest is the longest time that was counted, at least a second.
func longest(gates []release.Gate) time.Duration {
	all := time.Second
	for _, g := range gates {
		all = max(all, g.Until.Sub(g.Since))
	}
	return all
}

// canvas is an empty plot in the style of the page.
func canvas() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		for _, style := range []*draw.TextStyle{&axis.Label.TextStyle, &axis.Tick.Label} {
			style.Font.Variant, style.Font.Size = "Sans", textSize
		}
	}
	return p
}

// svg is a plot as an element of a page.
func svg(p *plot.Plot) (string, error) {
	c := vgsvg.NewWith(vgsvg.UseWH(plotWidth, plotHeight))
	// The last tick of the X axis would otherwise be cut off.
	p.Draw(draw.Crop(draw.New(c), 0, -10, 0, 0))
	var text bytes.Buffer
	if _, err := c.WriteTo(&text); err != nil {
		return "", err
	}
	element := bytes.Index(text.Bytes(), []byte("<svg"))
	return string(text.Bytes()[element:]), nil
}
