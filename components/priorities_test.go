package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
)

func TestPriorities(t *testing.T) {
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		_, err := components.NewPriorities(ctx, "nova", &components.PrioritiesArgs{Namespace: "backend", Services: 10, Stores: 20}, opts...)
		return err
	}, func(t *testing.T, all registrations) {
		all.component(t, "Priorities", "nova", "", "PriorityClass", "PriorityClass")
		stores := all.one(t, "PriorityClass", "priority-stores")
		assert.Equal(t, "backend-priority-stores-20", stores.at("metadata.name"), "another value is another class")
		assert.EqualValues(t, 20, stores.at("value"))
		assert.EqualValues(t, 10, all.one(t, "PriorityClass", "priority-services").at("value"))
	})
}
