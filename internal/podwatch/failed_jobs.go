package podwatch

import (
	"context"
	"fmt"
	"strings"

	"nova.dev/infra/internal/jobs"
)

// shownLines is how much of the log of a Job that failed is shown.
const shownLines = 20

// failedJobs says of each Job of the stack that has failed how, with the end of its
// log and how to go on.
func (w *watcher) failedJobs(ctx context.Context) []string {
	if w.owned(ctx) != nil {
		return nil
	}
	failed, err := jobs.Failed(ctx, w.client, w.target.Namespace, ours)
	if err != nil || len(failed) == 0 {
		return nil
	}
	secrets, readable := w.secrets(ctx)
	var all []string
	for _, job := range failed {
		var b strings.Builder
		b.WriteString(oneLine(secrets.Clean(job.Error())))
		if readable {
			for i, line := range w.lastLines(ctx, shownLines, job.Pod, job.Container, false) {
				if i == 0 {
					b.WriteString("; the end of its log:")
				}
				b.WriteString("\n      | " + oneLine(secrets.Clean(line)))
			}
		}
		fmt.Fprintf(&b, "\n    mend the cause and run `nova up --stack %s` again, which runs Job %s anew; all of the log: kubectl -n %s logs job/%s", w.target.Stack, job.Job, w.target.Namespace, job.Job)
		all = append(all, b.String())
	}
	return all
}
