package engine

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/redact"
)

// heartbeat is the maximum time between two lines of progress.
const heartbeat = 10 * time.Second

// progress turns the events of one operation into lines and an outcome.
type progress struct {
	out io.Writer
	// status, on a terminal, shows the resources in progress below the lines.
	status  *statusLine
	preview bool
	// said are the messages that were printed, also those of the step before.
	said map[string]bool
	// secrets are kept out of messages.
	secrets redact.Redactor

	mu       sync.Mutex
	started  map[string]time.Time
	waiting  map[string]string
	last     time.Time
	steps    []change.Step
	warnings []string
	errors   []string
	finished int
}

// outcome is what the events of an operation say.
type outcome struct {
	steps            []change.Step
	warnings, errors []string
}

// result is the outcome with the changes that its steps are.
func (o outcome) result(m change.Mask) change.Result {
	r := change.Summarize(o.steps, m)
	r.Warnings, r.Errors = o.warnings, o.errors
	return r
}

func newProgress(out io.Writer, terminal, preview bool, said map[string]bool, secrets redact.Redactor) *progress {
	p := &progress{
		out: out, preview: preview, said: said, secrets: secrets,
		started: map[string]time.Time{}, waiting: map[string]string{}, last: time.Now(),
	}
	if terminal {
		p.status = newStatusLine(out)
		p.out = p.status
	}
	return p
}

// watch consumes events until the stream is closed or the operation has ended,
// and prints the resources in progress every heartbeat.
func (p *progress) watch(stream <-chan events.EngineEvent, ended <-chan struct{}) outcome {
	stop := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				p.tick()
			}
		}
	})
	p.consume(stream, ended)
	close(stop)
	ticking.Wait()
	if p.status != nil {
		p.status.end()
	}
	return outcome{p.steps, p.warnings, p.errors}
}

func (p *progress) consume(stream <-chan events.EngineEvent, ended <-chan struct{}) {
	for {
		select {
		case event, open := <-stream:
			if !open {
				return
			}
			p.handle(event)
		case <-ended:
			return
		}
	}
}

func (p *progress) handle(event events.EngineEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case event.ResourcePreEvent != nil:
		p.begin(event.ResourcePreEvent.Metadata)
	case event.ResOutputsEvent != nil:
		p.end(event.ResOutputsEvent.Metadata, "done")
	case event.ResOpFailedEvent != nil:
		p.end(event.ResOpFailedEvent.Metadata, "FAILED")
	case event.DiagnosticEvent != nil:
		p.diagnose(event.DiagnosticEvent)
	}
}

func (p *progress) begin(step apitype.StepEventMetadata) {
	if !change.Changes(string(step.Op)) {
		p.steps = append(p.steps, newStep(step))
		return
	}
	p.started[step.URN] = time.Now()
	if p.preview {
		p.steps = append(p.steps, newStep(step))
		return
	}
	p.waiting[step.URN] = describe(step)
}

func (p *progress) end(step apitype.StepEventMetadata, outcome string) {
	if !change.Changes(string(step.Op)) || p.preview {
		return
	}
	delete(p.waiting, step.URN)
	p.finished++
	if outcome == "done" {
		p.steps = append(p.steps, newStep(step))
	}
	// A step whose beginning was not seen has no duration.
	took := ""
	if started, ok := p.started[step.URN]; ok {
		took = fmt.Sprintf(" (%.1f s)", time.Since(started).Seconds())
	}
	p.line("%s: %s%s", describe(step), outcome, took)
}

func (p *progress) diagnose(d *apitype.DiagnosticEvent) {
	message := p.secrets.Clean(strings.TrimSpace(colors.Never.Colorize(d.Message)))
	if message == "" {
		return
	}
	name := d.URN[strings.LastIndex(d.URN, ":")+1:]
	if d.Ephemeral {
		if _, open := p.waiting[d.URN]; open {
			p.waiting[d.URN] = name + ": " + message
		}
		return
	}
	if name != "" {
		message = name + ": " + message
	}
	switch d.Severity {
	case "error":
		p.errors = append(p.errors, message)
	case "warning":
		// A preview that refreshes runs the program twice.
		if !slices.Contains(p.warnings, message) {
			p.warnings = append(p.warnings, message)
		}
		p.once("warning: " + message)
	case "info", "info#err":
		p.once(message)
	}
}

// once prints a message, unless it was printed before: an update in two steps
// runs the program twice.
func (p *progress) once(message string) {
	if !p.said[message] {
		p.said[message] = true
		p.line("%s", message)
	}
}

// tick shows the resources in progress: on a terminal at every call, otherwise
// when nothing was printed for a heartbeat.
func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var waits []string
	for _, wait := range p.waiting {
		waits = append(waits, wait)
	}
	text := "working"
	if len(waits) > 0 {
		slices.Sort(waits)
		text = "waiting for " + waits[0]
	}
	if len(waits) > 1 {
		text = fmt.Sprintf("%s, and %d more", text, len(waits)-1)
	}
	switch {
	case p.status != nil:
		p.status.show(fmt.Sprintf("%d done, %s", p.finished, text))
	case time.Since(p.last) >= heartbeat:
		p.line("%s", text)
	}
}

// say prints a line about something beside the events.
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line("%s", line)
}

func (p *progress) line(format string, args ...any) {
	fmt.Fprintf(p.out, "  "+format+"\n", args...)
	p.last = time.Now()
}

func describe(step apitype.StepEventMetadata) string {
	kind := step.Type[strings.LastIndex(step.Type, ":")+1:]
	return fmt.Sprintf("%s %s %s", step.Op, kind, step.URN[strings.LastIndex(step.URN, ":")+1:])
}
