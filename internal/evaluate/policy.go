package evaluate

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"nova.dev/infra/internal/policy"
	"nova.dev/infra/internal/stack"
)

// keepsData are the types that hold data, or values that others depend on.
var keepsData = []string{
	"kubernetes:core/v1:Namespace", "random:index/randomPassword:RandomPassword", "random:index/randomBytes:RandomBytes",
	"tls:index/privateKey:PrivateKey", "aws:s3/bucketV2:BucketV2", "aws:ecr/repository:Repository",
}

// shortestSecret is the length in bytes from which a secret is looked for in
// other objects: shorter ones occur by chance.
const shortestSecret = 8

// Policy is what the rules of package policy judge of the resources of a stack.
func Policy(c *stack.Stack, resources []Resource) (policy.Stack, error) {
	s := policy.Stack{Guarded: c.Guarded(), Protected: c.DeletionProtection, Isolated: c.Network.Policies, Unknown: UnknownValue}
	objects, err := Objects(resources)
	if err != nil {
		return s, err
	}
	for _, o := range objects {
		s.Objects = append(s.Objects, o.Object)
		if o.Object.GetKind() == "Secret" {
			s.Secrets = append(s.Secrets, slices.DeleteFunc(slices.Clone(o.Secrets), func(text string) bool { return len(text) < shortestSecret })...)
		}
	}
	for _, r := range resources {
		if documents := documents(r); len(documents) > 0 {
			s.Resources = append(s.Resources, policy.Resource{Type: r.Type, Name: r.Name, Documents: documents})
		}
		if slices.Contains(keepsData, r.Type) {
			s.Protections = append(s.Protections, policy.Protection{Type: r.Type, Name: r.Name, Protected: r.Protect, Retained: r.RetainOnDelete})
		}
	}
	return s, nil
}

// documents are the IAM documents of a resource that are known.
func documents(r Resource) []string {
	if !strings.HasPrefix(r.Type, "aws:iam/") && !strings.HasSuffix(r.Type, ":BucketPolicy") && !strings.HasSuffix(r.Type, ":RepositoryPolicy") {
		return nil
	}
	var all []string
	for _, key := range []resource.PropertyKey{"policy", "assumeRolePolicy"} {
		value := r.Inputs[key]
		if value.IsSecret() {
			value = value.SecretValue().Element
		}
		if value.IsOutput() && value.OutputValue().Known {
			value = value.OutputValue().Element
		}
		if value.IsString() {
			all = append(all, value.StringValue())
		}
	}
	return all
}
