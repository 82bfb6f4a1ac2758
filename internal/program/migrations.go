package program

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
)

// tellWithoutMigrations warns in a preview that nobody makes the schema that the
// services expect.
func tellWithoutMigrations(ctx *pulumi.Context, s *stack.Stack, workloads []workload.Workload) error {
	if _, used := workload.Find(workloads, workload.Migrations); !used || s.Migrations.Mode != config.MigrationsNone || !ctx.DryRun() {
		return nil
	}
	return ctx.Log.Warn(fmt.Sprintf("the schema of database %s is created by nobody: set nova:migrations.image, or nova:migrations.mode to %s where somebody else migrates it",
		s.Dependencies.Postgres.Database, config.MigrationsElsewhere), nil)
}
