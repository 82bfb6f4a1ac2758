package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/config"
)

func probe(timing config.Probe, path string) *corev1.ProbeArgs {
	return &corev1.ProbeArgs{
		HttpGet:          &corev1.HTTPGetActionArgs{Path: pulumi.String(path), Port: pulumi.String(portHTTP)},
		PeriodSeconds:    pulumi.Int(timing.PeriodSeconds),
		TimeoutSeconds:   pulumi.Int(timing.TimeoutSeconds),
		FailureThreshold: pulumi.Int(timing.FailureThreshold),
	}
}
