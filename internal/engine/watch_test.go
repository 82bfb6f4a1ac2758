package engine

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

func TestRun(t *testing.T) {
	watched := func(what string, fails error) (said string, err error) {
		var out bytes.Buffer
		told := make(chan struct{})
		s := &Stack{command: &command{ended: time.Now()}, options: Options{
			Config: &stack.Stack{Config: config.Config{Stack: "dev"}}, Progress: &out,
			Watch: func(ctx context.Context, say func(string)) []string {
				say("cdn-service-1: Unschedulable")
				close(told)
				<-ctx.Done()
				return []string{"cdn-service-1: Unschedulable, still"}
			},
		}}
		_, err = s.run(what, false, func(chan<- events.EngineEvent) error {
			if what == operationUp {
				<-told
			}
			return fails
		})
		return out.String(), err
	}
	t.Run("up tells what the pods wait for, meanwhile and when it fails", func(t *testing.T) {
		said, err := watched(operationUp, errors.New("stderr: timed out"))
		assert.Equal(t, "  cdn-service-1: Unschedulable\n", said)
		var failed *OperationError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, []string{"timed out", "cdn-service-1: Unschedulable, still"}, failed.Reasons)
	})
	t.Run("up that succeeds has no such reasons", func(t *testing.T) {
		_, err := watched(operationUp, nil)
		assert.NoError(t, err)
	})
	t.Run("an interrupted up stays one", func(t *testing.T) {
		_, err := watched(operationUp, context.Canceled)
		assert.ErrorIs(t, err, context.Canceled)
	})
	t.Run("destroy looks at no pods", func(t *testing.T) {
		said, err := watched("destroy", errors.New("stderr: timed out"))
		assert.Empty(t, said)
		assert.NotContains(t, err.Error(), "Unschedulable")
	})
}
