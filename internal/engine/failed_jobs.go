package engine

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/client-go/kubernetes"

	"nova.dev/infra/internal/jobs"
)

// ownJobs are the Jobs that the program declares.
const ownJobs = "app.kubernetes.io/part-of=nova,app.kubernetes.io/managed-by=pulumi"

// removeFailedJobs removes the Jobs of the stack that have failed: a Job cannot be
// started again, so that an update would fail on it for ever.
func (s *Stack) removeFailedJobs(ctx context.Context) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	removed, err := jobs.RemoveFailed(ctx, client, s.options.Config.Namespace, ownJobs)
	if len(removed) > 0 {
		fmt.Fprintf(s.options.Progress, "  removed what had failed, to run it again: job %s\n", strings.Join(removed, ", job "))
	}
	return err
}

// client speaks to the cluster of the stack.
func (s *Stack) client() (kubernetes.Interface, error) {
	access, err := s.options.Project.Access(s.options.Config)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(access)
}
