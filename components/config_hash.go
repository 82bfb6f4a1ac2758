package components

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// configHashAnnotation is the pod-template annotation that makes a change of
// configuration roll the pods.
const configHashAnnotation = "nova.dev/config-hash"

// configHash is a keyed hash over values. It tells nothing about them, so it is
// not secret and previews stay readable.
func configHash(key pulumi.StringOutput, values pulumi.StringMap) pulumi.StringOutput {
	hash := pulumi.All(key, values.ToStringMapOutput()).ApplyT(func(all []any) string {
		return hashValues(all[0].(string), all[1].(map[string]string))
	}).(pulumi.StringOutput)
	return pulumi.Unsecret(hash).(pulumi.StringOutput)
}

// hashValues separates keys and values by zero bytes, which occur in neither.
func hashValues(key string, values map[string]string) string {
	mac := hmac.New(sha256.New, []byte(key))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		mac.Write([]byte(name + "\x00" + values[name] + "\x00"))
	}
	return hex.EncodeToString(mac.Sum(nil))
}
