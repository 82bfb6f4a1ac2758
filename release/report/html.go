package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"nova.dev/infra/release"
	"nova.dev/infra/release/gate"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"moment": moment, "clock": clock, "lasting": lasting, "budget": budget, "interval": interval,
	"percent": gate.Percent, "number": gate.Number, "join": strings.Join,
}).Parse(pageText))

// page is what the template shows.
type page struct {
	Plan           release.Plan
	Title          string
	Verdict, Class string
	Why            string
	Began, Ended   time.Time
	Phases         []passed
	Waves          []string
	Services       []serviceRow
	Stages         []stageView
	Timeline       []release.Event
	Period         int
}

// serviceRow is a service that changes.
type serviceRow struct {
	release.Service
	Image, From, To string
	// Spent is the share of the error budget, Failed the number of requests.
	Spent, Failed float64
	Known         bool
}

// stageView is a phase with gates.
type stageView struct {
	Title   string
	Since   time.Time
	Until   time.Time
	Figures []inline
	Gates   []release.Gate
	// Passed is how many gates have passed.
	Passed int
}

// inline is a figure whose drawing is part of the page.
type inline struct {
	figure
	Drawing template.HTML
}

// HTML writes a release as one page that loads nothing else: who and what, the plan,
// the plots and counts of every gate, the error budget spent, and the timeline. It is
// readable on a phone, in print and on a dark screen.
func HTML(w io.Writer, r release.Record) error {
	p := page{
		Plan: r.Plan, Title: title(r), Why: why(r), Began: began(r), Ended: ended(r),
		Phases: phases(r), Timeline: r.Timeline, Period: period(),
	}
	p.Verdict, p.Class = verdict(r)
	for i, wave := range r.Plan.Waves {
		p.Waves = append(p.Waves, fmt.Sprintf("%d: %s", i+1, strings.Join(wave, ", ")))
	}
	for _, s := range r.Plan.Services {
		row := serviceRow{Service: s}
		_, row.From = reference(s.Previous)
		row.Image, row.To = reference(s.Next)
		row.Spent, row.Failed, row.Known = spent(r, s)
		p.Services = append(p.Services, row)
	}
	for _, phase := range judgedPhases(r) {
		view, err := viewOf(r, phase)
		if err != nil {
			return fmt.Errorf("report of release %s: %w", r.Plan.ID, err)
		}
		p.Stages = append(p.Stages, view)
	}
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("report of release %s: %w", r.Plan.ID, err)
	}
	return nil
}

func viewOf(r release.Record, p release.Phase) (stageView, error) {
	view := stageView{Title: stageTitle(r, p), Gates: gatesOf(r, p)}
	figures, err := figuresOf(r, p)
	if err != nil {
		return view, err
	}
	for _, f := range figures {
		// The library escapes the only text of ours in it, the names of axes.
		view.Figures = append(view.Figures, inline{f, template.HTML(f.SVG)}) //nolint:gosec // not from outside
	}
	for i, g := range view.Gates {
		if i == 0 || g.Since.Before(view.Since) {
			view.Since = g.Since
		}
		if g.Until.After(view.Until) {
			view.Until = g.Until
		}
		if g.Evidence.Verdict == gate.Pass {
			view.Passed++
		}
	}
	return view, nil
}
