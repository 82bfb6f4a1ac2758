package engine

import (
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// statusLine is the last line of a terminal, which changes in place. What is
// written to it becomes lines above.
type statusLine struct {
	screen *mpb.Progress
	bar    *mpb.Bar
	// text is read while the screen is drawn, which waits for writers.
	text atomic.Pointer[string]
}

func newStatusLine(terminal io.Writer) *statusLine {
	s := &statusLine{screen: mpb.New(mpb.WithOutput(terminal))}
	s.show("working")
	s.bar = s.screen.New(0, mpb.SpinnerStyle(), mpb.BarRemoveOnComplete(), mpb.BarWidth(1),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *s.text.Load() })))
	return s
}

func (s *statusLine) show(text string) { s.text.Store(&text) }

// Write adds lines above the status.
func (s *statusLine) Write(lines []byte) (int, error) { return s.screen.Write(lines) }

// end removes the status line.
func (s *statusLine) end() {
	s.bar.Abort(true)
	s.screen.Wait()
}
