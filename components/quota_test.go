package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
)

func TestQuota(t *testing.T) {
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		_, err := components.NewQuota(ctx, "nova", &components.QuotaArgs{
			Scope:   scope,
			Hard:    corev1.ResourceList{corev1.ResourcePods: resource.MustParse("7")},
			Default: config.Resources{Requests: config.Quantities{CPU: "1m"}, Limits: config.Quantities{CPU: "2m"}},
		}, opts...)
		return err
	}, func(t *testing.T, all registrations) {
		all.component(t, "Quota", "nova", "", "ResourceQuota", "LimitRange")
		assert.Equal(t, "7", all.one(t, "ResourceQuota", "nova").at("spec.hard.pods"))
		limits := all.one(t, "LimitRange", "nova")
		assert.Equal(t, "1m", limits.at("spec.limits[0].defaultRequest.cpu"))
		assert.Equal(t, "2m", limits.at("spec.limits[0].default.cpu"))
	})
}
