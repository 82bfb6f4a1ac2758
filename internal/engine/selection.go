package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// selection is a workspace that selects a stack by reading its state, which is
// needed next. Every command names its stack, so that nothing depends on the
// stack that the stock command has selected.
type selection struct {
	auto.Workspace

	// state is that of the stack that was selected, nil for a new one.
	state json.RawMessage
}

// SelectStack reads the state of a stack, and fails if there is none.
func (s *selection) SelectStack(ctx context.Context, name string) error {
	deployment, err := s.ExportStack(ctx, name)
	if err != nil {
		return err
	}
	s.state = deployment.Deployment
	return nil
}

// onStackOfItsOwn runs a program in a goroutine. The engine keeps the call stack
// of every registration in the state, which it writes after each step; this
// leaves out the frames of the server that calls the program, most of them.
func onStackOfItsOwn(run pulumi.RunFunc) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		ended := make(chan error, 1)
		go func() {
			defer func() {
				if r := recover(); r != nil {
					ended <- fmt.Errorf("the program panicked: %v\n%s", r, debug.Stack())
				}
			}()
			ended <- run(ctx)
		}()
		return <-ended
	}
}
