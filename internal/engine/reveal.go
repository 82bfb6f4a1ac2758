package engine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/redact"
	"nova.dev/infra/internal/stack"
)

// known are the secrets of a stack, which the engine's events leave out. They
// stay in memory: to fingerprint them, and to keep them out of texts.
type known struct {
	// old and now are inputs by URN: in the state, and as the program declares
	// them.
	old, now map[string]map[string]any
	values   redact.Redactor
	// key is the one of the stack's configuration hashes.
	key []byte
}

// unmade is the text of a generated value that does not exist yet.
const unmade = "value-that-is-not-generated-yet"

// know reads the secrets of a stack from its state, which is read once more, and
// from its configuration.
func (s *Stack) know(ctx context.Context, state *state) (known, error) {
	k := known{old: map[string]map[string]any{}, now: map[string]map[string]any{}}
	if !state.empty() {
		var err error
		if state, err = s.export(withSecrets(ctx)); err != nil {
			return k, err
		}
	}
	generated := map[string]map[string]any{}
	var values []string
	for _, r := range state.Resources {
		inputs, outputs, err := r.trees()
		if err != nil {
			return k, fmt.Errorf("the state of stack %s: %s: %w", s.options.Config.Stack, r.URN, err)
		}
		k.old[r.URN] = inputs
		generated[r.name()] = outputs
		values = append(values, secretTexts(r.Type, inputs)...)
		values = append(values, secretTexts(r.Type, outputs)...)
		if text, ok := secretText(outputs["result"]); ok && r.name() == "config-hash-key" {
			k.key = []byte(text)
		}
	}
	supplied, err := s.supplied(ctx)
	if err != nil {
		return k, err
	}
	declared, err := evaluate.Stack(supplied, evaluate.Options{Made: func(name, output string) string {
		if text, ok := secretText(generated[name][output]); ok {
			return text
		}
		return unmade
	}})
	if err != nil {
		return k, err
	}
	for _, secret := range supplied.Secrets {
		text, _ := secret.Reveal()
		values = append(values, text)
	}
	for _, r := range declared {
		inputs, _ := withoutUnmade(properties(r.Inputs)).(map[string]any)
		k.now[ofStack(r.URN, s.options.Config.Stack)] = inputs
		values = append(values, secretTexts(r.Type, inputs)...)
	}
	slices.Sort(values)
	k.values = redact.New(slices.Compact(values))
	return k, nil
}

// supplied is the stack with the values of the secrets in its stack file.
func (s *Stack) supplied(ctx context.Context) (*stack.Stack, error) {
	o := s.options.Config
	encrypted := func(secret config.Secret) bool { _, known := secret.Reveal(); return !known }
	if !slices.ContainsFunc(slices.Collect(maps.Values(o.Secrets)), encrypted) {
		return o, nil
	}
	all, err := s.stack.GetAllConfig(ctx)
	if err != nil {
		return nil, s.explain("read the configuration", err, change.Result{})
	}
	values := map[string]string{}
	if err := json.Unmarshal([]byte(all[config.Project+":secrets"].Value), &values); err != nil {
		return nil, fmt.Errorf("%s:secrets of stack %s: not a map of texts", config.Project, o.Stack)
	}
	revealed := o.Config
	revealed.Secrets = maps.Clone(o.Secrets)
	for key, value := range values {
		revealed.Secrets[key] = config.NewSecret(value)
	}
	return o.With(&revealed)
}

// reveal gives steps of a preview the values of secrets, and returns how they
// are hidden.
func (k known) reveal(steps []change.Step) change.Mask {
	for i, step := range steps {
		steps[i].Old, _ = filled(step.Old, k.old[step.URN]).(map[string]any)
		steps[i].New, _ = filled(step.New, k.now[step.URN]).(map[string]any)
	}
	return change.Mask{Key: k.key, Known: k.values}
}

// filled is a tree whose secrets have the values that they have in another one.
func filled(tree, values any) any {
	switch t := tree.(type) {
	case change.Secret:
		switch v := values.(type) {
		case nil:
		case change.Secret:
			return v
		default:
			return change.Secret{Value: v, Known: true}
		}
	case map[string]any:
		if t == nil {
			return t
		}
		if secret, ok := values.(change.Secret); ok {
			values = secret.Value
		}
		v, _ := values.(map[string]any)
		for key, each := range t {
			t[key] = filled(each, v[key])
		}
	case []any:
		if v, ok := values.([]any); ok && len(v) == len(t) {
			for i, each := range t {
				t[i] = filled(each, v[i])
			}
		}
	}
	return tree
}

// withoutUnmade is a tree in which what depends on a generated value that does
// not exist yet is unknown.
func withoutUnmade(tree any) any {
	switch t := tree.(type) {
	case string:
		plain, _ := base64.StdEncoding.DecodeString(t) // As in the data of a Secret.
		if strings.Contains(t, unmade) || strings.Contains(string(plain), unmade) {
			return change.Unknown{}
		}
	case change.Secret:
		return change.Secret{Value: withoutUnmade(t.Value), Known: true}
	case map[string]any:
		for key, each := range t {
			t[key] = withoutUnmade(each)
		}
	case []any:
		for i, each := range t {
			t[i] = withoutUnmade(each)
		}
	}
	return tree
}

// secretTexts are the texts of a tree that are marked as secret. Of the
// configuration of a provider, which is a whole kubeconfig, they are its long
// values.
func secretTexts(kind string, tree any) []string {
	var texts []string
	ofSecret := kind == "kubernetes:core/v1:Secret"
	collect(tree, ofSecret, &texts)
	if ofSecret { // Its data is in base64.
		for _, text := range slices.Clone(texts) {
			if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
				texts = append(texts, string(plain))
			}
		}
	}
	if !strings.HasPrefix(kind, "pulumi:providers:") {
		return texts
	}
	var values []string
	for _, text := range texts {
		for _, match := range longValue.FindAllStringSubmatch(text, -1) {
			values = append(values, match[1])
		}
	}
	return values
}

// longValue matches values of a YAML or JSON text from 16 characters on: tokens
// and keys.
var longValue = regexp.MustCompile(`:[ \t]*"?([^\s"]{16,})`)

// collect adds the texts below a secret. The data of Secrets is secret also where
// it is not marked.
func collect(tree any, inSecret bool, into *[]string) {
	switch t := tree.(type) {
	case change.Secret:
		collectAll(t.Value, into)
	case map[string]any:
		for key, each := range t {
			if inSecret && (key == "data" || key == "stringData") {
				collectAll(each, into)
				continue
			}
			collect(each, false, into)
		}
	case []any:
		for _, each := range t {
			collect(each, false, into)
		}
	}
}

func collectAll(tree any, into *[]string) {
	switch t := tree.(type) {
	case string:
		*into = append(*into, t)
	case change.Secret:
		collectAll(t.Value, into)
	case map[string]any:
		for _, each := range t {
			collectAll(each, into)
		}
	case []any:
		for _, each := range t {
			collectAll(each, into)
		}
	}
}

// secretText is the text of an output, secret or not.
func secretText(value any) (string, bool) {
	if secret, ok := value.(change.Secret); ok {
		value = secret.Value
	}
	text, ok := value.(string)
	return text, ok && text != ""
}
