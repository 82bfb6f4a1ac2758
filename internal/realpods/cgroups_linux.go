package realpods

import "nova.dev/infra/internal/realpods/machine"

func removeCgroups(cluster string) error { return machine.RemoveCgroups(cluster) }
