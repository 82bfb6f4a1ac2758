package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// settings are the inputs of a provider resource. They are never completed
// from the environment.
type settings struct {
	kubeconfig        string
	context           string
	cluster           string
	namespace         string
	clusterIdentifier string

	configMapMutable  bool
	secretMutable     bool
	patchForce        bool
	upsert            bool
	deleteUnreachable bool

	client clientSettings
}

// clientSettings tune the client: requests per second, how many at once, and
// the time limit of one request in seconds (kubeClientSettings of the SDK).
type clientSettings struct {
	Burst   int     `json:"burst"`
	QPS     float64 `json:"qps"`
	Timeout int     `json:"timeout"`
}

// defaultClient lets the API server do its own flow control for the stacks of
// this repository, some hundred objects with up to four requests each, and has
// a time limit so that a cluster which stops answering ends in an error.
var defaultClient = clientSettings{Burst: 400, QPS: 200, Timeout: 60}

func (c clientSettings) timeout() time.Duration { return time.Duration(c.Timeout) * time.Second }

// reader takes one input of a provider into the settings.
type reader func(*settings, resource.PropertyValue) error

func readString(field func(*settings) *string) reader {
	return func(s *settings, v resource.PropertyValue) error {
		if !v.IsString() {
			return fmt.Errorf("is a %s, must be a string", v.TypeString())
		}
		*field(s) = v.StringValue()
		return nil
	}
}

// readBool takes a boolean, which Pulumi SDKs send to providers as the JSON
// text "true" or "false".
func readBool(field func(*settings) *bool) reader {
	return func(s *settings, v resource.PropertyValue) error {
		value, err := boolValue(v)
		if err != nil {
			return err
		}
		*field(s) = value
		return nil
	}
}

func boolValue(v resource.PropertyValue) (bool, error) {
	switch {
	case v.IsBool():
		return v.BoolValue(), nil
	case v.IsString():
		value, err := strconv.ParseBool(v.StringValue())
		if err != nil {
			return false, fmt.Errorf("is %q, must be true or false", v.StringValue())
		}
		return value, nil
	}
	return false, fmt.Errorf("is a %s, must be true or false", v.TypeString())
}

// only accepts one value of a boolean, because the stand-in has no other mode.
func only(want bool, why string) reader {
	return func(_ *settings, v resource.PropertyValue) error {
		value, err := boolValue(v)
		if err == nil && value != want {
			err = fmt.Errorf("must be %t: %s", want, why)
		}
		return err
	}
}

func unsupported(why string) reader {
	return func(_ *settings, v resource.PropertyValue) error {
		if v.IsString() && v.StringValue() == "" {
			return nil
		}
		return errors.New(why)
	}
}

func accepted(*settings, resource.PropertyValue) error { return nil }

var readers = map[resource.PropertyKey]reader{
	"kubeconfig":             readString(func(s *settings) *string { return &s.kubeconfig }),
	"context":                readString(func(s *settings) *string { return &s.context }),
	"cluster":                readString(func(s *settings) *string { return &s.cluster }),
	"namespace":              readString(func(s *settings) *string { return &s.namespace }),
	"clusterIdentifier":      readString(func(s *settings) *string { return &s.clusterIdentifier }),
	"enableConfigMapMutable": readBool(func(s *settings) *bool { return &s.configMapMutable }),
	"enableSecretMutable":    readBool(func(s *settings) *bool { return &s.secretMutable }),
	"enablePatchForce":       readBool(func(s *settings) *bool { return &s.patchForce }),
	"upsertExistingObjects":  readBool(func(s *settings) *bool { return &s.upsert }),
	"deleteUnreachable":      readBool(func(s *settings) *bool { return &s.deleteUnreachable }),
	"enableServerSideApply":  only(true, "the stand-in provider only knows server-side apply"),
	"skipUpdateUnreachable":  only(false, "the stand-in provider cannot skip an unreachable cluster"),
	"alwaysRender":           only(false, "the stand-in provider does not render YAML"),
	"renderYamlToDirectory":  unsupported("the stand-in provider does not render YAML"),
	"helmReleaseSettings":    unsupported("the stand-in provider does not run Helm"),
	"kubeClientSettings":     readClientSettings,

	// Nothing in the stand-in would warn about these.
	"suppressDeprecationWarnings": readBool(func(*settings) *bool { return new(bool) }),
	"suppressHelmHookWarnings":    readBool(func(*settings) *bool { return new(bool) }),

	// The engine's own.
	"version":           accepted,
	"pluginDownloadURL": accepted,
	"pluginChecksums":   accepted,
}

func readClientSettings(s *settings, v resource.PropertyValue) error {
	var text []byte
	switch {
	case v.IsString():
		text = []byte(v.StringValue())
	case v.IsObject():
		var err error
		if text, err = json.Marshal(v.ObjectValue().Mappable()); err != nil {
			return err
		}
	default:
		return fmt.Errorf("is a %s, must be an object with burst, qps and timeout", v.TypeString())
	}
	if err := json.Unmarshal(text, &s.client); err != nil {
		return fmt.Errorf("must be an object with the numbers burst, qps and timeout: %w", err)
	}
	if s.client.Burst < 1 || s.client.QPS <= 0 || s.client.Timeout < 1 {
		return fmt.Errorf("burst %d, qps %g and timeout %d must be above zero",
			s.client.Burst, s.client.QPS, s.client.Timeout)
	}
	return nil
}

// parseSettings reads the inputs of a provider and reports all mistakes.
// Inputs which are not known yet are left out.
func parseSettings(inputs resource.PropertyMap) (settings, []plugin.CheckFailure) {
	s := settings{client: defaultClient}
	var failures []plugin.CheckFailure
	for _, key := range inputs.StableKeys() {
		value := known(inputs[key])
		if value.IsNull() || value.IsComputed() || strings.HasPrefix(string(key), "__") {
			continue
		}
		read, ok := readers[key]
		if !ok {
			failures = append(failures, plugin.CheckFailure{
				Property: key,
				Reason:   "is no input of the Kubernetes provider; allowed are " + strings.Join(inputNames(), ", "),
			})
			continue
		}
		if err := read(&s, value); err != nil {
			failures = append(failures, plugin.CheckFailure{Property: key, Reason: err.Error()})
		}
	}
	return s, failures
}

func inputNames() []string {
	names := make([]string, 0, len(readers))
	for _, key := range slices.Sorted(maps.Keys(readers)) {
		names = append(names, string(key))
	}
	return names
}

// known takes a value out of the wrappers of secrets and outputs. What is not
// known yet comes back as computed.
func known(v resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case v.IsSecret():
			v = v.SecretValue().Element
		case v.IsOutput() && v.OutputValue().Known:
			v = v.OutputValue().Element
		case v.IsOutput():
			return resource.MakeComputed(resource.NewStringProperty(""))
		default:
			return v
		}
	}
}

// CheckConfig reports unknown and malformed inputs of the provider, and a
// kubeconfig which cannot be read.
func (p *Provider) CheckConfig(
	_ context.Context, req plugin.CheckConfigRequest,
) (plugin.CheckConfigResponse, error) {
	s, failures := parseSettings(req.News)
	switch {
	case known(req.News["kubeconfig"]).IsComputed():
	case s.kubeconfig == "":
		if !failed(failures, "kubeconfig") {
			failures = append(failures, plugin.CheckFailure{
				Property: "kubeconfig",
				Reason:   "is required: the path or the contents of a kubeconfig; the environment is not consulted",
			})
		}
	default:
		if _, _, err := loadKubeconfig(s); err != nil {
			failures = append(failures, plugin.CheckFailure{Property: "kubeconfig", Reason: err.Error()})
		}
	}
	return plugin.CheckConfigResponse{Properties: req.News, Failures: failures}, nil
}

func failed(failures []plugin.CheckFailure, key resource.PropertyKey) bool {
	return slices.ContainsFunc(failures, func(f plugin.CheckFailure) bool { return f.Property == key })
}

// DiffConfig replaces the provider, and with it all its resources, when it
// points at another cluster: when the clusterIdentifier changes or, as long as
// there is none, when the API server's address does.
func (p *Provider) DiffConfig(
	_ context.Context, req plugin.DiffConfigRequest,
) (plugin.DiffConfigResponse, error) {
	diff := req.OldInputs.Diff(req.NewInputs)
	if diff == nil {
		return plugin.DiffResult{Changes: plugin.DiffNone}, nil
	}
	result := plugin.DiffResult{Changes: plugin.DiffSome, ChangedKeys: diff.ChangedKeys()}
	before, _ := parseSettings(req.OldInputs)
	after, _ := parseSettings(req.NewInputs)
	switch {
	case before.clusterIdentifier != "" && before.clusterIdentifier == after.clusterIdentifier:
	case before.clusterIdentifier != "" && after.clusterIdentifier != "":
		result.ReplaceKeys = []resource.PropertyKey{"clusterIdentifier"}
	default:
		if serverOf(before) != "" && serverOf(after) != "" && serverOf(before) != serverOf(after) {
			for _, key := range []resource.PropertyKey{"kubeconfig", "context", "cluster"} {
				if slices.Contains(result.ChangedKeys, key) {
					result.ReplaceKeys = append(result.ReplaceKeys, key)
				}
			}
		}
	}
	return result, nil
}

// serverOf is the address of the API server, or empty when it cannot be told.
func serverOf(s settings) string {
	client, _, err := loadKubeconfig(s)
	if err != nil {
		return ""
	}
	config, err := client.ClientConfig()
	if err != nil {
		return ""
	}
	return config.Host
}

// loadKubeconfig reads the kubeconfig, given as a path or as its contents, and
// answers how to name it in messages. Contents never appear in an error.
func loadKubeconfig(s settings) (clientcmd.ClientConfig, string, error) {
	if s.kubeconfig == "" {
		return nil, "", errors.New("no kubeconfig is given")
	}
	var config *clientcmdapi.Config
	name := "kubeconfig"
	if strings.ContainsAny(s.kubeconfig, "\n{") {
		var err error
		if config, err = clientcmd.Load([]byte(s.kubeconfig)); err != nil {
			return nil, name, errors.New("the contents are no valid kubeconfig")
		}
	} else {
		name = fmt.Sprintf("kubeconfig %s", s.kubeconfig)
		var err error
		config, err = clientcmd.LoadFromFile(s.kubeconfig)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, name, fmt.Errorf("no such file: %s", s.kubeconfig)
		case errors.Is(err, fs.ErrPermission):
			return nil, name, fmt.Errorf("not allowed to read %s", s.kubeconfig)
		case err != nil:
			return nil, name, fmt.Errorf("%s is no valid kubeconfig", s.kubeconfig)
		}
		if err := clientcmd.ResolveLocalPaths(config); err != nil {
			return nil, name, fmt.Errorf("%s: %w", s.kubeconfig, err)
		}
	}
	if s.context != "" && config.Contexts[s.context] == nil {
		return nil, name, fmt.Errorf("has no context %q; it has %s", s.context, quoted(config.Contexts))
	}
	if s.cluster != "" && config.Clusters[s.cluster] == nil {
		return nil, name, fmt.Errorf("has no cluster %q; it has %s", s.cluster, quoted(config.Clusters))
	}
	return clientcmd.NewDefaultClientConfig(*config, &clientcmd.ConfigOverrides{
		CurrentContext: s.context,
		Context:        clientcmdapi.Context{Cluster: s.cluster, Namespace: s.namespace},
	}), name, nil
}

func quoted[V any](m map[string]V) string {
	if len(m) == 0 {
		return "none"
	}
	names := slices.Sorted(maps.Keys(m))
	for i, name := range names {
		names[i] = strconv.Quote(name)
	}
	return strings.Join(names, ", ")
}
