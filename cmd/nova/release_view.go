package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"nova.dev/infra/release"
	"nova.dev/infra/release/gate"
)

// releaseView shows a release that moves: as lines, and on a terminal as a table
// below them with one row for each service.
type releaseView struct {
	out    io.Writer
	screen *mpb.Progress
	print  func(release.Event)
	rows   map[string]*releaseRow
	ended  atomic.Bool
}

// releaseRow is a service on the screen.
type releaseRow struct {
	bar     *mpb.Bar
	phase   release.Phase
	figures map[gate.Signal]string
	// text is read while the screen is drawn, which waits for writers.
	text atomic.Pointer[string]
}

func newReleaseView(out io.Writer, terminal bool) *releaseView {
	v := &releaseView{out: out, rows: map[string]*releaseRow{}}
	every := told
	if terminal {
		v.screen = mpb.New(mpb.WithOutput(out), mpb.WithRefreshRate(500*time.Millisecond))
		v.out, every = v.screen, time.Hour
	}
	v.print = release.Printer(v.out, every)
	return v
}

// Write adds lines, of the engine for example.
func (v *releaseView) Write(lines []byte) (int, error) {
	if v.ended.Load() {
		return len(lines), nil
	}
	return v.out.Write(lines)
}

// show shows an event.
func (v *releaseView) show(e release.Event) {
	v.print(e)
	if v.screen == nil || e.Service == "" {
		return
	}
	row := v.row(e.Service)
	if row.phase != e.Phase {
		row.phase, row.figures = e.Phase, map[gate.Signal]string{}
		row.bar.SetCurrent(int64(slices.Index(release.Phases(), e.Phase)))
	}
	if e.Evidence != nil {
		row.figures[e.Evidence.Signal] = figure(*e.Evidence)
	}
	row.write()
}

func (v *releaseView) row(service string) *releaseRow {
	if row := v.rows[service]; row != nil {
		return row
	}
	row := &releaseRow{}
	row.write()
	row.bar = v.screen.AddBar(int64(len(release.Phases())), mpb.BarWidth(14),
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-13s", service))),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *row.text.Load() })))
	v.rows[service] = row
	return row
}

func (r *releaseRow) write() {
	text := fmt.Sprintf("%-8s", r.phase)
	for _, signal := range gate.Signals() {
		text += "  " + r.figures[signal]
	}
	text = strings.TrimRight(text, " ")
	r.text.Store(&text)
}

// figure is the share of bad requests, its limit and the verdict: "errors 0.12/1 % ok".
func figure(e gate.Evidence) string {
	mark := map[gate.Verdict]string{gate.Pass: "ok", gate.Fail: "FAIL", gate.Hold: "?"}[e.Verdict]
	return fmt.Sprintf("%s %.2f/%.3g %% %s", e.Signal, e.Canary.Rate()*100, e.Limits.Limit*100, mark)
}

// end removes the table. What is written afterwards is lost.
func (v *releaseView) end() {
	if v.ended.Swap(true) || v.screen == nil {
		return
	}
	for _, row := range v.rows {
		row.bar.Abort(true)
	}
	v.screen.Wait()
}
