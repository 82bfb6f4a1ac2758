package components

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestShares(t *testing.T) {
	text, deviating := shares("auth-service", 3, 5)
	assert.True(t, deviating)
	assert.Equal(t, "auth-service: with 3 replicas, of the traffic 5 % is 25 % (1 of 4 pods), 50 % is 50 % (2 of 4 pods), 100 % is 100 % (3 of 3 pods); "+
		"that differs by more than 5 percentage points (nova:rollout.tolerance), and 9 replicas would not", text)
	text, deviating = shares("auth-service", 20, 5)
	assert.False(t, deviating)
	assert.Contains(t, text, "5 % is 5 % (1 of 20 pods)")
}
