package components

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/workload"
)

// probe asks from outside where that is enough.
func probe(from workload.Probe) *corev1.ProbeArgs {
	args := &corev1.ProbeArgs{
		PeriodSeconds:    pulumi.Int(from.Timing.PeriodSeconds),
		TimeoutSeconds:   pulumi.Int(from.Timing.TimeoutSeconds),
		FailureThreshold: pulumi.Int(from.Timing.FailureThreshold),
	}
	var port pulumi.Input = pulumi.Int(from.Port)
	if from.PortName != "" {
		port = pulumi.String(from.PortName)
	}
	switch {
	case from.Path != "":
		args.HttpGet = &corev1.HTTPGetActionArgs{Path: pulumi.String(from.Path), Port: port}
	case from.Port != 0:
		args.TcpSocket = &corev1.TCPSocketActionArgs{Port: port}
	default:
		args.Exec = &corev1.ExecActionArgs{Command: pulumi.ToStringArray(literals(from.Command))}
	}
	return args
}
