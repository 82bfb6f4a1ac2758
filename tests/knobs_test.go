package tests

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/plugin/random"
	cloud "nova.dev/infra/internal/plugin/recorded"
	"nova.dev/infra/internal/plugin/tls"
	"nova.dev/infra/internal/stack"
)

// knob is a key of the configuration, as docs/CONFIGURATION.md lists it but
// without "nova:", and its value in a stack.
type knob struct {
	key   string
	value reflect.Value
}

// knobs walks the configuration along its types. What lies below a map or list
// has no value in the stack, but the zero one.
func knobs(prefix string, value reflect.Value) []knob {
	var found []knob
	for i := range value.NumField() {
		field := value.Type().Field(i)
		key := prefix + field.Tag.Get("config")
		switch {
		case field.Tag.Get("config") == "-":
			continue
		case field.Anonymous:
			found = append(found, knobs(prefix, value.Field(i))...)
			continue
		}
		inner, below := field.Type, value.Field(i)
		switch inner.Kind() {
		case reflect.Map:
			inner, key = inner.Elem(), key+".<name>"
		case reflect.Slice, reflect.Pointer:
			inner = inner.Elem()
		}
		if inner.Kind() != reflect.Struct || inner == reflect.TypeFor[config.Secret]() {
			found = append(found, knob{key, value.Field(i)})
			continue
		}
		if field.Type.Kind() != reflect.Struct {
			below = reflect.New(inner).Elem()
		}
		found = append(found, knobs(key+".", below)...)
	}
	return found
}

// turned are the changes that a knob is tried with: those of the table, or one
// that follows from its type.
func (k knob) turned(t *testing.T) []turn {
	t.Helper()
	if turns, ok := turns[k.key]; ok {
		return turns
	}
	for suffix, value := range valuesBySuffix {
		if strings.HasSuffix(k.key, suffix) {
			return []turn{{to: value}}
		}
	}
	value, kind := k.value, k.value.Type()
	for kind.Kind() == reflect.Pointer {
		value, kind = value.Elem(), kind.Elem()
	}
	set := value.IsValid() // A pointer to nothing has no value.
	switch {
	case kind == reflect.TypeFor[time.Duration]() && set:
		return []turn{{to: (time.Duration(value.Int()) - time.Millisecond).String()}}
	case kind == reflect.TypeFor[time.Duration]():
		return []turn{{to: "400ms"}}
	case kind.Kind() == reflect.Float64 && set:
		return []turn{{to: fmt.Sprint(value.Float() * 0.99)}}
	case kind.Kind() == reflect.Float64:
		return []turn{{to: "1"}}
	}
	switch k.value.Kind() {
	case reflect.Bool:
		return []turn{{to: !k.value.Bool()}}
	case reflect.Int:
		return []turn{{to: text(int(k.value.Int()) + 1)}}
	}
	require.Fail(t, "nobody knows how to turn it: add it to the table", "nova:%s", k.key)
	return nil
}

// configurations are the stack before and after a turn of the knob.
func (k knob) configurations(t *testing.T, turn turn) (before, after *stack.Stack) {
	t.Helper()
	parsed := func(values ...map[string]any) *stack.Stack {
		input := stackInput(t, "prod")
		for _, each := range values {
			merge(input, each)
		}
		c, err := stack.Parse("prod", input)
		require.NoError(t, err, "nova:%s", k.key)
		pins := map[string]stack.Pin{} // There are no sources to read.
		for _, s := range c.Services {
			pins[s.Name] = stack.Pin{Inputs: "sha256:" + strings.Repeat("0", 64)}
		}
		c, err = c.Pinned(pins)
		require.NoError(t, err)
		return c
	}
	return parsed(turn.with), parsed(turn.with, turn.change(k.key))
}

// loss is a protected resource that a change would delete or replace.
type loss struct{ urn, why string }

// losses compares two declarations of a stack by the rules of the providers.
func losses(t *testing.T, before, after []recorded) []loss {
	t.Helper()
	var found []loss
	now := map[string]recorded{}
	for _, r := range after {
		now[r.urn] = r
	}
	replaced := replacedProviders(t, before, now)
	for _, old := range before {
		if !old.protect {
			continue
		}
		next, stays := now[old.urn]
		pkg, _, _ := strings.Cut(old.typ, ":")
		switch {
		case !stays:
			found = append(found, loss{old.urn, "it is not declared any more"})
		case replaced[pkg]:
			found = append(found, loss{old.urn, "its provider is another"})
		case isReplaced(t, old, next):
			found = append(found, loss{old.urn, "another value makes another resource"})
		}
	}
	return found
}

// standIns know which inputs of a resource cannot change, as the real plugins
// do.
var standIns = map[string]plugin.Provider{
	"random": random.New(nil),
	"tls":    tls.New(nil),
	"aws":    cloud.NewAWS(nil),
	"docker": cloud.NewDocker(nil),
}

// replacedProviders are the packages whose provider becomes another one, or
// goes.
func replacedProviders(t *testing.T, before []recorded, now map[string]recorded) map[string]bool {
	t.Helper()
	replaced := map[string]bool{}
	for _, old := range before {
		pkg, isProvider := strings.CutPrefix(old.typ, "pulumi:providers:")
		if !isProvider {
			continue
		}
		next, stays := now[old.urn]
		if !stays {
			replaced[pkg] = true
			continue
		}
		if pkg == "kubernetes" {
			// The identifier alone says which cluster it is, as long as there is one.
			replaced[pkg] = !old.inputs["clusterIdentifier"].DeepEquals(next.inputs["clusterIdentifier"])
			continue
		}
		diff, err := standIns[pkg].DiffConfig(t.Context(), plugin.DiffConfigRequest{
			URN: resource.URN(old.urn), OldInputs: old.inputs, NewInputs: next.inputs,
		})
		require.NoError(t, err)
		replaced[pkg] = diff.Replace()
	}
	return replaced
}

func isReplaced(t *testing.T, old, next recorded) bool {
	t.Helper()
	urn := resource.URN(old.urn)
	pkg, _, _ := strings.Cut(old.typ, ":")
	if pkg == "kubernetes" {
		// The provider asks the cluster. Of the kinds that are protected only
		// the identity cannot change.
		require.Equal(t, "kubernetes:core/v1:Namespace", old.typ, "say here what cannot change in it")
		return !reflect.DeepEqual(unwrap(old.inputs)["metadata"].(map[string]any)["name"], unwrap(next.inputs)["metadata"].(map[string]any)["name"])
	}
	diff, err := standIns[pkg].Diff(t.Context(), plugin.DiffRequest{
		URN: urn, Type: urn.Type(), ID: "id",
		OldInputs: old.inputs, OldOutputs: old.inputs, NewInputs: next.inputs,
	})
	require.NoError(t, err)
	return diff.Replace()
}

func TestKnobs_match_the_reference(t *testing.T) {
	text, err := os.ReadFile("../docs/CONFIGURATION.md")
	require.NoError(t, err)
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `nova:([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, row[1])
	}
	var walked []string
	for _, k := range knobs("", reflect.ValueOf(config.Defaults("prod")).Elem()) {
		walked = append(walked, k.key)
	}
	assert.Equal(t, documented, walked)
	for key := range turns {
		assert.Contains(t, walked, key, "the table turns a knob that does not exist")
	}
}

// TestKnobs_of_prod_never_lose_what_is_protected changes every key of the
// configuration by itself. A change either leaves every protected resource
// where it is, or is known to be refused by the engine, which
// TestTheEngineRefusesToLoseWhatIsProtected shows.
func TestKnobs_of_prod_never_lose_what_is_protected(t *testing.T) {
	all := knobs("", reflect.ValueOf(load(t, "prod").Config))
	asItIs := declare(t, load(t, "prod"), false)
	changes, touched, refused := 0, 0, 0
	for _, k := range all {
		t.Run(k.key, func(t *testing.T) {
			for _, turn := range k.turned(t) {
				c, next := k.configurations(t, turn)
				before, after := asItIs, declare(t, next, false)
				if turn.with != nil {
					before = declare(t, c, false)
				}
				changes++
				if !same(before, after) {
					touched++
				}
				found := losses(t, before, after)
				if turn.refused {
					refused++
					assert.NotEmpty(t, found, "nova:%s loses nothing, so that nothing has to refuse it", k.key)
					continue
				}
				assert.Empty(t, found, "nova:%s set to %v loses what is protected", k.key, turn.to)
			}
		})
	}
	t.Logf("%d knobs, %d changes of production: %d change a resource, %d would lose a protected one and are refused", len(all), changes, touched, refused)
	assert.Equal(t, len(refusedTurns()), refused)
}

// same reports whether two declarations agree in everything that providers get.
func same(before, after []recorded) bool {
	byURN := func(all []recorded) []recorded {
		sorted := slices.Clone(all)
		slices.SortFunc(sorted, func(a, b recorded) int { return strings.Compare(a.urn, b.urn) })
		return sorted
	}
	return slices.EqualFunc(byURN(before), byURN(after), func(a, b recorded) bool {
		return a.urn == b.urn && a.protect == b.protect && a.inputs.DeepEquals(b.inputs)
	})
}
