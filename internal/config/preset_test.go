package config_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
)

func TestPresets_are_documented(t *testing.T) { documented(t, "presets", presetTable()) }

func TestControllers_are_documented(t *testing.T) {
	var b strings.Builder
	b.WriteString("| controller | class | Ingresses | annotations for 100 MiB and 600 s | about |\n|---|---|---|---|---|\n")
	for _, c := range config.IngressControllers() {
		count, class := "one, with the largest limits", "any other"
		if c.PerIngress {
			count = "one for each limit"
		}
		if c.Class != "" {
			class = "`" + c.Class + "`"
		}
		annotations := c.Annotations(100, 600)
		var shown []string
		for _, key := range slices.Sorted(maps.Keys(annotations)) {
			shown = append(shown, fmt.Sprintf("`%s: %q`", key, annotations[key]))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", c.Name, class, count, strings.Join(shown, ", "), c.About)
	}
	documented(t, "controllers", b.String())
}

// documented compares a generated part of docs/NETWORK.md.
func documented(t *testing.T, part, want string) {
	t.Helper()
	path, begin, end := "../../docs/NETWORK.md", "<!-- "+part+": generated -->\n", "<!-- end of "+part+" -->\n"
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), begin)
	require.True(t, found, "no %q", begin)
	_, after, found := strings.Cut(rest, end)
	require.True(t, found, "no %q", end)
	got := before + begin + want + end + after
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	assert.Equal(t, string(text), got, "run the test with -update")
}

func TestIngress_mistakes_name_the_key_and_what_is_allowed(t *testing.T) {
	for name, tc := range map[string]struct {
		ingress map[string]any
		want    []string
	}{
		"an unknown kind":           {map[string]any{"kind": "route"}, []string{`nova:ingress.kind: Unsupported value: "route": supported values: "none", "ingress", "gateway", "both"`, "nova:ingress.host: Required value"}},
		"no gateway at all":         {map[string]any{"kind": "both", "host": "api.example.com"}, []string{"nova:ingress.gateway: Required value: must be set when kind is both: the name of a Gateway that exists; or gatewayClass"}},
		"two gateways":              {map[string]any{"kind": "gateway", "host": "api.example.com", "gatewayClass": "eg", "gateway": "public", "listener": "https"}, []string{`nova:ingress.gateway: Forbidden: is of a Gateway that exists, but gatewayClass ("eg") declares one`, "nova:ingress.listener: Forbidden"}},
		"one Secret for both":       {map[string]any{"kind": "both", "host": "api.example.com", "gatewayClass": "eg", "issuer": "x", "gatewayTLSSecret": "nova-api-tls"}, []string{`nova:ingress.gatewayTLSSecret: Duplicate value: "nova-api-tls"`}},
		"an unknown controller":     {map[string]any{"kind": "ingress", "host": "api.example.com", "controller": "traefik"}, []string{`nova:ingress.controller: Unsupported value: "traefik"`}},
		"a gateway of another name": {map[string]any{"kind": "gateway", "host": "api.example.com", "gateway": "Public"}, []string{`nova:ingress.gateway: Invalid value: "Public": is not a Kubernetes name`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("stack", config.Input{"ingress": tc.ingress})
			require.Error(t, err)
			for _, want := range tc.want {
				assert.ErrorContains(t, err, want)
			}
			assert.ErrorContains(t, err, fmt.Sprintf("%d mistake", len(tc.want)))
		})
	}
}

func presetTable() string {
	var b strings.Builder
	b.WriteString("| preset | for | dns | prometheus | ingress | gateway |\n|---|---|---|---|---|---|\n")
	for _, p := range config.NetworkPresets() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", p.Name, p.Cluster,
			shownPeer(p, "dns", p.DNS), shownPeer(p, "prometheus", p.Prometheus), shownPeer(p, "ingress", p.Ingress), shownPeer(p, "gateway", p.Gateway))
	}
	b.WriteString("\nWhere the values come from:\n\n")
	for _, p := range config.NetworkPresets() {
		fmt.Fprintf(&b, "- `%s`: %s.\n", p.Name, p.Source)
	}
	return b.String()
}

func shownPeer(p config.NetworkPreset, name string, peer config.Peer) string {
	var parts []string
	if missing := p.Missing[name]; missing != "" {
		parts = append(parts, "**to set:** "+missing)
	}
	if peer.Namespace != "" {
		parts = append(parts, "namespace `"+peer.Namespace+"`")
	}
	for _, label := range []struct {
		what   string
		labels map[string]string
	}{{"namespaces labelled", peer.NamespaceLabels}, {"pods", peer.Labels}} {
		for _, key := range slices.Sorted(maps.Keys(label.labels)) {
			parts = append(parts, fmt.Sprintf("%s `%s=%s`", label.what, key, label.labels[key]))
		}
	}
	for _, cidr := range peer.CIDRs {
		parts = append(parts, "`"+cidr+"`")
	}
	for _, port := range peer.Ports {
		parts = append(parts, fmt.Sprintf("port %d", port))
	}
	return strings.Join(parts, ", ")
}

func TestPreset_gives_way_to_what_a_stack_sets(t *testing.T) {
	c, err := config.Parse("stack", config.Input{"network": map[string]any{
		"preset": "gke", "dns": map[string]any{"cidrs": []any{"10.0.0.10/32"}}, "gateway": map[string]any{"namespace": "gateways"},
	}})
	require.NoError(t, err)
	assert.Equal(t, config.Peer{Namespace: "kube-system", CIDRs: []string{"10.0.0.10/32"}, Ports: []int{53}}, c.Network.DNS)
	assert.Equal(t, config.Peer{Namespace: "gateways", CIDRs: []string{"130.211.0.0/22", "35.191.0.0/16"}}, c.Network.Gateway)
	again, err := config.Parse("stack", config.Input{"network": map[string]any{"preset": "gke"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"169.254.20.10/32", "169.254.169.254/32"}, again.Network.DNS.CIDRs, "one stack does not change the preset of another")
}

func TestNetwork_mistakes_name_the_key_and_what_is_allowed(t *testing.T) {
	for name, tc := range map[string]struct {
		network map[string]any
		ingress string
		want    []string
	}{
		"an unknown preset": {map[string]any{"preset": "eks"}, "", []string{`nova:network.preset: Unsupported value: "eks": supported values: "kubernetes", "nodelocaldns", "eks-alb", "gke", "openshift"`}},
		"a load balancer without its networks": {map[string]any{"preset": "eks-alb"}, "ingress",
			[]string{"nova:network.ingress: Required value: must select somebody: set cidrs: the networks of the load balancer's subnets"}},
		"a preset whose load balancer is not used": {map[string]any{"preset": "eks-alb"}, "none", nil},
		"nobody at all": {map[string]any{"dns": map[string]any{"namespace": "", "labels": map[string]any{}, "ports": []any{}}}, "",
			[]string{"nova:network.dns: Required value: must select somebody: set namespace, namespaceLabels or cidrs", "nova:network.dns.ports: Required value: must not be empty"}},
		"labels without a namespace": {map[string]any{"prometheus": map[string]any{"namespace": "", "cidrs": []any{"10.0.0.0/8"}}}, "",
			[]string{"nova:network.prometheus.namespace: Required value: must be set with labels"}},
		"two ways to name a namespace": {map[string]any{"prometheus": map[string]any{"namespaceLabels": map[string]any{"a": "b"}}}, "",
			[]string{`nova:network.prometheus.namespaceLabels: Forbidden: takes the place of namespace ("monitoring")`}},
		"networks and ports that are none": {map[string]any{
			"dns": map[string]any{"cidrs": []any{"169.254.20.10"}, "ports": []any{"0"}}, "internet": map[string]any{"cidrs": []any{"10.0.0.1/8"}, "ports": []any{"70000"}},
		}, "", []string{
			`nova:network.dns.cidrs[0]: Invalid value: "169.254.20.10": is not a network`, "nova:network.dns.ports[0]: Invalid value: 0: is out of range; allowed: 1 to 65535",
			`nova:network.internet.cidrs[0]: Invalid value: "10.0.0.1/8": is not a network`, "nova:network.internet.ports[0]: Invalid value: 70000: is out of range",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			input := config.Input{"network": tc.network}
			if tc.ingress != "" {
				input["ingress"] = map[string]any{"kind": tc.ingress, "host": "api.example.com"}
			}
			_, err := config.Parse("stack", input)
			if len(tc.want) == 0 {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for _, want := range tc.want {
				assert.ErrorContains(t, err, want)
			}
			assert.ErrorContains(t, err, fmt.Sprintf("%d mistake", len(tc.want)))
		})
	}
}
