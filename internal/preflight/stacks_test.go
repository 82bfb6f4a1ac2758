package preflight_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/preflight"
	"nova.dev/infra/internal/testing/stacktest"
)

func TestCheckStacks(t *testing.T) {
	for _, name := range []string{"dev", "staging", "prod"} {
		t.Run(name+"_has_no_findings_on_a_new_cluster", func(t *testing.T) {
			c, err := stacktest.Load(name, "../../Pulumi."+name+".yaml")
			require.NoError(t, err)
			resources, err := evaluate.Stack(c, evaluate.Options{})
			require.NoError(t, err)
			objects, err := evaluate.Objects(resources)
			require.NoError(t, err)
			s := newStack(t)
			s.Stack = name
			for _, o := range objects {
				s.Objects = append(s.Objects, preflight.Object(o))
			}
			begin := time.Now()
			assert.Empty(t, s.check(t))
			t.Logf("%d objects in %s", len(objects), time.Since(begin).Round(time.Millisecond))
		})
	}
}
