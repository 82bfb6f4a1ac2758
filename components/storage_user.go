package components

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/iampolicy"
)

// StorageUserArgs is the identity of the services that open buckets with keys.
// There are two IAM users with the same rights, whose keys change places with
// every rotation: the key before the last rotation stays valid, so that pods that
// still have it go on, and no user ever has more than the two keys that IAM
// allows, of which one is about to go.
type StorageUserArgs struct {
	// Resource is the name of its resources, Name that of the users, before the
	// letter in which they differ.
	Resource, Name string
	// Grants are what the services' code does to objects, and nothing else.
	Grants []iampolicy.Grant
	// KMSKey is the ARN of the key that encrypts the objects, if any.
	KMSKey string
	// MakesKeys is set when the stack makes the keys; otherwise somebody makes one
	// of the first user's and supplies it.
	MakesKeys bool
	// Rotations is how often the key was rotated.
	Rotations int
}

// AccessKey is a key that opens buckets.
type AccessKey struct {
	// ID is its public half.
	ID pulumi.StringOutput
	// Secret is a secret output.
	Secret pulumi.StringOutput
}

// newStorageUser declares the users and, where the stack makes them, the current
// key and the one before.
func newStorageUser(ctx *pulumi.Context, args StorageUserArgs, parent pulumi.Resource) (*AccessKey, error) {
	var users []*iam.User
	for n := range min(args.Rotations, 1) + 1 {
		user, err := newIAMUser(ctx, args, "ab"[n], parent)
		if err != nil {
			return nil, err
		}
		users = append(users, user)
	}
	if !args.MakesKeys {
		return nil, nil
	}
	var current *AccessKey
	for n := max(args.Rotations-1, 0); n <= args.Rotations; n++ {
		key, err := iam.NewAccessKey(ctx, fmt.Sprintf("%s-%d", args.Resource, n+1), &iam.AccessKeyArgs{
			User: users[n%2].Name,
		}, pulumi.Parent(parent))
		if err != nil {
			return nil, err
		}
		current = &AccessKey{ID: key.ID().ToStringOutput(), Secret: key.Secret}
	}
	return current, nil
}

func newIAMUser(ctx *pulumi.Context, args StorageUserArgs, letter byte, parent pulumi.Resource) (*iam.User, error) {
	access, err := iampolicy.ObjectAccess(args.Grants, args.KMSKey).JSON()
	if err != nil {
		return nil, err
	}
	resource := fmt.Sprintf("%s-%c", args.Resource, letter)
	user, err := iam.NewUser(ctx, resource, &iam.UserArgs{Name: pulumi.String(fmt.Sprintf("%s-%c", args.Name, letter))}, pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	_, err = iam.NewUserPolicy(ctx, resource, &iam.UserPolicyArgs{
		Name: pulumi.String("buckets"), User: user.Name, Policy: pulumi.String(access),
	}, pulumi.Parent(parent))
	return user, err
}
