package tests

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/stacktest"
)

// production is the stack prod on the real engine and an embedded control plane
// of its own; its AWS account is recorded.
type production struct {
	project engine.Project
}

func newProduction(t *testing.T) *production {
	t.Helper()
	dir := stacktest.Project(t, "..")
	local, err := cluster.New(cluster.Options{Root: dir, NodesPerZone: 1})
	require.NoError(t, err)
	require.NoError(t, local.Up(t.Context(), testWriter{t}))
	t.Cleanup(func() { assert.NoError(t, local.Down(context.Background(), testWriter{t})) })
	return &production{engine.Project{Root: dir}}
}

// open writes the stack file with a change and opens the stack; close it.
func (p *production) open(t *testing.T, change map[string]any) *engine.Stack {
	t.Helper()
	input := stackInput(t, "prod")
	// Pods are simulated; nobody has to watch them be ready for a while.
	merge(input, at("rollout.minReadySeconds", text(0)))
	merge(input, change)
	stacktest.Write(t, p.project.StackFile("prod"), input)
	c, err := p.project.Config("prod")
	require.NoError(t, err)
	stack, err := engine.Open(t.Context(), engine.Options{Project: p.project, Config: c, Providers: "auto", Embedded: true, Progress: testWriter{t}})
	require.NoError(t, err)
	return stack
}

func (p *production) up(t *testing.T, change map[string]any) change.Result {
	t.Helper()
	stack := p.open(t, change)
	defer stack.Close()
	result, err := stack.Up(t.Context())
	require.NoError(t, err)
	return result
}

func (p *production) preview(t *testing.T, change map[string]any) (change.Result, error) {
	t.Helper()
	stack := p.open(t, change)
	defer stack.Close()
	return stack.Preview(t.Context())
}

func TestProtection_prod_keeps_what_is_protected(t *testing.T) {
	p := newProduction(t)
	made := p.up(t, nil)
	counts := map[string]int{}
	for _, change := range made.Changes {
		if strings.HasPrefix(change.Type, "aws:") {
			counts[change.Type]++
		}
	}
	assert.Equal(t, 4, counts["aws:s3/bucketV2:BucketV2"])
	assert.Equal(t, 11, counts["aws:ecr/repository:Repository"])
	assert.Equal(t, "arn:aws:iam::444455556666:role/nova-prod-media", p.serviceAccount(t, "media-service").Annotations["eks.amazonaws.com/role-arn"])

	t.Run("another retention changes the rules of the buckets in place, and nothing else", func(t *testing.T) {
		retention := at("storage.noncurrentDays", text(60))
		result, err := p.preview(t, retention)
		require.NoError(t, err)
		buckets := []string{}
		for _, change := range result.Changes {
			assert.Equal(t, "update", change.Op, change.URN)
			assert.Equal(t, "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", change.Type)
			assert.Equal(t, []string{"rules[1].noncurrentVersionExpiration.noncurrentDays"}, change.Properties)
			buckets = append(buckets, change.Name)
		}
		assert.Equal(t, []string{"audio", "cdn", "media", "uploads"}, buckets)
		assert.Len(t, p.up(t, retention).Changes, 4)
		assert.Len(t, p.up(t, nil).Changes, 4, "and back")
	})

	refused := refusedTurns()
	require.NotEmpty(t, refused)
	for _, change := range refused {
		t.Run("the engine refuses "+said(change), func(t *testing.T) {
			_, err := p.preview(t, change)
			require.Error(t, err)
			var failed *engine.OperationError
			require.ErrorAs(t, err, &failed)
			names := lost(t, change)
			assert.True(t, slices.ContainsFunc(failed.Reasons, func(reason string) bool {
				return protectedIn(reason) && slices.ContainsFunc(names, func(name string) bool { return strings.Contains(reason, name) })
			}), "none of the resources that would be lost is named: %v", err)
		})
	}

	t.Run("a refused update leaves every protected resource where it was", func(t *testing.T) {
		stack := p.open(t, at("storage.buckets.media", "nova-media-elsewhere"))
		_, err := stack.Up(t.Context())
		stack.Close()
		require.Error(t, err)
		for _, change := range p.up(t, nil).Changes {
			assert.False(t, strings.HasPrefix(change.Type, "aws:"), "%s had to be repaired", change.URN)
		}
	})
}

// protectedIn reports whether the engine gives protection as its reason.
func protectedIn(reason string) bool {
	return strings.Contains(reason, "because it is protected") || strings.Contains(reason, "marked for protection")
}

// lost are the ends of the URNs of the protected resources that a change of
// production would lose.
func lost(t *testing.T, change map[string]any) []string {
	t.Helper()
	input := stackInput(t, "prod")
	merge(input, change)
	c, err := stack.Parse("prod", input)
	require.NoError(t, err)
	var names []string
	for _, each := range losses(t, declare(t, load(t, "prod"), false), declare(t, c, false)) {
		parts := strings.Split(each.urn, "::")
		names = append(names, strings.Join(parts[len(parts)-2:], "::"))
	}
	return names
}

func (p *production) serviceAccount(t *testing.T, name string) *corev1.ServiceAccount {
	t.Helper()
	access, err := clientcmd.BuildConfigFromFlags("", filepath.Join(p.project.LocalDir(), "kubeconfig"))
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(access)
	require.NoError(t, err)
	account, err := client.CoreV1().ServiceAccounts("nova-backend").Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return account
}

// said is a change in the words of the command line.
func said(change map[string]any) string {
	var keys []string
	for key, value := range change {
		if inner, ok := value.(map[string]any); ok {
			for below := range maps.Keys(inner) {
				keys = append(keys, key+"."+below)
			}
			continue
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return "another " + strings.Join(keys, " and ")
}
