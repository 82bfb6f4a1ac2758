package components

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/iampolicy"
)

// annotationRole is where the EKS pod identity webhook reads which role a
// ServiceAccount stands for. The webhook mounts a token of its own into the
// pods, also where automountServiceAccountToken is false: that setting concerns
// the token for the Kubernetes API only.
const annotationRole = "eks.amazonaws.com/role-arn"

// ServiceRoleArgs is the role that the pods of a service take on.
type ServiceRoleArgs struct {
	Service string
	// Resource is the name of its resources, Name that of the role.
	Resource, Name, Description string
	// Account is the ServiceAccount that it trusts, and no other.
	Account iampolicy.ServiceAccount
	// Grants are what the service's code does to objects, and nothing else.
	Grants []iampolicy.Grant
	// KMSKey is the ARN of the key that encrypts the objects, if any.
	KMSKey string
}

// newServiceRole declares the role that the pods of a service take on.
func newServiceRole(ctx *pulumi.Context, args ServiceRoleArgs, parent pulumi.Resource) (*iam.Role, error) {
	trust, err := iampolicy.Trust(args.Account).JSON()
	if err != nil {
		return nil, err
	}
	access, err := iampolicy.ObjectAccess(args.Grants, args.KMSKey).JSON()
	if err != nil {
		return nil, err
	}
	role, err := iam.NewRole(ctx, args.Resource, &iam.RoleArgs{
		Name:             pulumi.String(args.Name),
		Description:      pulumi.String(args.Description),
		AssumeRolePolicy: pulumi.String(trust),
	}, pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	_, err = iam.NewRolePolicy(ctx, args.Resource, &iam.RolePolicyArgs{
		Name:   pulumi.String("buckets"),
		Role:   role.Name,
		Policy: pulumi.String(access),
	}, pulumi.Parent(parent))
	return role, err
}
