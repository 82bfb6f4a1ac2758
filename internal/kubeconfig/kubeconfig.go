// Package kubeconfig reads kubeconfig files as kubectl does.
package kubeconfig

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Read returns one context of a kubeconfig file as a kubeconfig of its own, or
// the current context where the name is empty. Relative paths in the file are
// relative to the file. Certificates and keys that it names are included; token
// files stay files, because they are renewed. The file's own errors wrap
// os.ErrNotExist and the like; none shows what is in a file.
func Read(path, context string) (string, error) {
	config, err := load(path, context)
	if err != nil {
		return "", err
	}
	text, err := clientcmd.Write(*config)
	return string(text), err
}

// Client returns how to reach the cluster of a context of a kubeconfig file, or
// of the current context where the name is empty.
func Client(path, context string) (*rest.Config, error) {
	config, err := load(path, context)
	if err != nil {
		return nil, err
	}
	return clientcmd.NewDefaultClientConfig(*config, &clientcmd.ConfigOverrides{}).ClientConfig()
}

func load(path, context string) (*api.Config, error) {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return nil, err
	}
	if context != "" {
		config.CurrentContext = context
	}
	if _, found := config.Contexts[config.CurrentContext]; !found {
		return nil, fmt.Errorf("has no context %q; it has %s", config.CurrentContext, strings.Join(slices.Sorted(maps.Keys(config.Contexts)), ", "))
	}
	if err := clientcmd.ResolveLocalPaths(config); err != nil {
		return nil, err
	}
	if err := api.MinifyConfig(config); err != nil {
		return nil, err
	}
	if err := api.FlattenConfig(config); err != nil {
		return nil, err
	}
	return config, nil
}
