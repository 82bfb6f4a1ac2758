package preflight

import (
	"encoding/base64"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"nova.dev/infra/internal/redact"
)

// secretsOf finds the values of Secrets and those that are said to be secret. The
// API server repeats values in its errors.
func secretsOf(all []Object) redact.Redactor {
	var values []string
	for _, o := range all {
		values = append(values, o.Secrets...)
		if !isSecret(o.Object) {
			continue
		}
		for _, field := range []string{"data", "stringData"} {
			entries, _ := o.Object.Object[field].(map[string]any)
			for _, entry := range entries {
				value := fmt.Sprint(entry)
				values = append(values, value)
				if text, err := base64.StdEncoding.DecodeString(value); err == nil && field == "data" {
					values = append(values, string(text))
				}
			}
		}
	}
	return redact.New(values)
}

func isSecret(o *unstructured.Unstructured) bool {
	return o.GetKind() == "Secret" && o.GetAPIVersion() == "v1"
}
