package workload

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/internal/yamltext"
)

// setting is a line of a settings file.
type setting struct{ key, value string }

// properties writes a Java properties file.
func properties(settings []setting) string {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	var text strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&text, "%s=%s\n", s.key, escape.Replace(s.value))
	}
	return text.String()
}

// redisConf writes a redis.conf; values are quoted, since an empty one or one
// with spaces would be taken for none or for several.
func redisConf(settings []setting) string {
	var text strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&text, "%s %s\n", s.key, strconv.Quote(s.value))
	}
	return text.String()
}

// yamlFile writes a YAML file. What is passed to it is made of maps, slices and
// plain values, which can always be written.
func yamlFile(value any) string {
	text, err := yamltext.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("workload: %v cannot be written as YAML: %v", value, err))
	}
	return string(text)
}

const mebibyte = 1 << 20

// share is a part of a memory quantity, in whole mebibytes.
func share(memory string, divisor int64) int64 {
	q := resource.MustParse(memory)
	return q.Value() / divisor / mebibyte
}
