package components

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/iampolicy"
	"nova.dev/infra/internal/stack"
)

// annotationRole is where the EKS pod identity webhook reads which role a
// ServiceAccount stands for. The webhook mounts a token of its own into the
// pods, also where automountServiceAccountToken is false: that setting concerns
// the token for the Kubernetes API only.
const annotationRole = "eks.amazonaws.com/role-arn"

// newServiceRole declares the role that the pods of a service take on: with its
// ServiceAccount and nothing else, for what its code does to objects and
// nothing else.
func newServiceRole(ctx *pulumi.Context, c *stack.Stack, s catalog.Service, parent pulumi.Resource) (*iam.Role, error) {
	trust, err := iampolicy.Trust(iampolicy.ServiceAccount{
		AWSAccount: c.AWS.Account,
		Issuer:     c.AWS.IssuerHost(),
		Namespace:  c.Namespace,
		Name:       s.KubernetesName(),
	}).JSON()
	if err != nil {
		return nil, err
	}
	var grants []iampolicy.Grant
	names := c.CatalogEnvironment().Buckets
	for _, use := range s.Buckets {
		grants = append(grants, iampolicy.Grant{Bucket: names[use.Bucket], Actions: use.Actions})
	}
	access, err := iampolicy.ObjectAccess(grants, c.Storage.KMSKey).JSON()
	if err != nil {
		return nil, err
	}

	role, err := iam.NewRole(ctx, s.KubernetesName(), &iam.RoleArgs{
		Name:             pulumi.String(c.RoleName(s.Name)),
		Description:      pulumi.String("Pods of " + s.KubernetesName() + " in stack " + c.Stack),
		AssumeRolePolicy: pulumi.String(trust),
	}, pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	_, err = iam.NewRolePolicy(ctx, s.KubernetesName(), &iam.RolePolicyArgs{
		Name:   pulumi.String("buckets"),
		Role:   role.Name,
		Policy: pulumi.String(access),
	}, pulumi.Parent(parent))
	return role, err
}
