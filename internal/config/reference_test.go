package config_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/testing/stacktest"
)

var update = flag.Bool("update", false, "rewrite docs/CONFIGURATION.md")

func TestReference_is_up_to_date(t *testing.T) {
	const path = "../../docs/CONFIGURATION.md"
	var rows strings.Builder
	values := []reflect.Value{reflect.ValueOf(config.Defaults("<stack>")).Elem()}
	for _, stack := range []string{"dev", "staging", "prod"} {
		c, err := stacktest.Load(stack, "../../Pulumi."+stack+".yaml")
		require.NoError(t, err)
		values = append(values, reflect.ValueOf(c.Config))
	}
	describe(t, &rows, "nova:", values)
	got := `# Configuration

Every key of ` + "`Pulumi.<stack>.yaml`" + `, generated from the types in ` + "`internal/config/`" + `. The last columns say
what the stacks of this repository set where it differs from the default. Wrong
values, unknown keys and contradictions are reported together before anything is
touched.

| key | type | default | dev | staging | prod | meaning |
|---|---|---|---|---|---|---|
` + rows.String()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "run the test with -update")
}

// describe writes a row for each field below a key; values holds the default
// and the value of each stack.
func describe(t *testing.T, out *strings.Builder, prefix string, values []reflect.Value) {
	t.Helper()
	kind := values[0].Type()
	for i := range kind.NumField() {
		field := kind.Field(i)
		key := field.Tag.Get("config")
		if key == "-" {
			continue
		}
		if field.Anonymous {
			inner := make([]reflect.Value, len(values))
			for j, value := range values {
				inner[j] = value.Field(i)
			}
			describe(t, out, prefix, inner)
			continue
		}
		doc := field.Tag.Get("doc")
		require.NotEmpty(t, key, "%s.%s has no key", kind, field.Name)
		require.NotEmpty(t, doc, "%s.%s has no documentation", kind, field.Name)
		fields := make([]reflect.Value, len(values))
		for j, value := range values {
			fields[j] = value.Field(i)
		}
		inner := field.Type
		suffix := ""
		switch inner.Kind() {
		case reflect.Map:
			inner, suffix = inner.Elem(), ".<name>"
		case reflect.Slice, reflect.Pointer:
			inner = inner.Elem()
		}
		if inner.Kind() != reflect.Struct || inner == reflect.TypeFor[config.Secret]() {
			row(out, prefix+key+suffix, field.Type, fields, doc)
			continue
		}
		if field.Type.Kind() != reflect.Struct {
			zero := reflect.New(inner).Elem()
			fields = []reflect.Value{zero, zero, zero, zero}
		}
		describe(t, out, prefix+key+suffix+".", fields)
	}
}

func row(out *strings.Builder, key string, kind reflect.Type, values []reflect.Value, doc string) {
	cells := []string{shown(values[0])}
	for _, value := range values[1:] {
		cell := shown(value)
		if cell == cells[0] {
			cell = ""
		}
		cells = append(cells, cell)
	}
	name := strings.NewReplacer("*", "", "map[string]", "", "config.", "", "time.", "", "float64", "number", "[]string", "list").Replace(kind.String())
	fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", key, strings.ToLower(name), strings.Join(cells, " | "), doc)
}

func shown(value reflect.Value) string {
	for value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return ""
		}
		value = value.Elem()
	}
	if value.Kind() == reflect.Map {
		var parts []string
		for _, key := range value.MapKeys() {
			parts = append(parts, fmt.Sprintf("%s=%v", key, value.MapIndex(key)))
		}
		slices.Sort(parts)
		return code(strings.Join(parts, " "))
	}
	if value.IsZero() && value.Kind() != reflect.Bool && value.Kind() != reflect.Int {
		return ""
	}
	return code(fmt.Sprint(value))
}

func code(text string) string {
	if text == "" || text == "[]" {
		return ""
	}
	return "`" + text + "`"
}
