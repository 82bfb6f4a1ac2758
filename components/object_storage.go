package components

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ObjectStorageArgs are the inputs of an ObjectStorage. Buckets and repositories
// are those of the catalogue, whichever services are enabled: switching a service
// off loses neither its files nor its images.
type ObjectStorageArgs struct {
	Buckets      []BucketArgs
	Roles        []ServiceRoleArgs
	Repositories []ImageRepositoryArgs
	// Protect keeps buckets and repositories with all that is in them.
	Protect bool
}

// ObjectStorage is what a stack declares in its AWS account: the buckets, the
// roles of the services that write to them, and the image repositories.
type ObjectStorage struct {
	pulumi.ResourceState

	// Buckets are the names of the buckets, by their name in the catalogue.
	Buckets pulumi.StringMap
	// Roles are the ARNs of the roles that services take on, by service.
	Roles map[string]pulumi.StringOutput
	// Repositories are the URLs of the image repositories, by service.
	Repositories pulumi.StringMap
}

// NewObjectStorage declares an ObjectStorage. It needs a provider for aws.
func NewObjectStorage(ctx *pulumi.Context, name string, args *ObjectStorageArgs, opts ...pulumi.ResourceOption) (*ObjectStorage, error) {
	s := &ObjectStorage{Buckets: pulumi.StringMap{}, Roles: map[string]pulumi.StringOutput{}, Repositories: pulumi.StringMap{}}
	if err := ctx.RegisterComponentResource("nova:platform:ObjectStorage", name, s, opts...); err != nil {
		return nil, err
	}
	for _, bucket := range args.Buckets {
		name, err := newBucket(ctx, bucket, args.Protect, s)
		if err != nil {
			return nil, err
		}
		s.Buckets[bucket.Resource] = name
	}
	for _, role := range args.Roles {
		made, err := newServiceRole(ctx, role, s)
		if err != nil {
			return nil, err
		}
		s.Roles[role.Service] = made.Arn
	}
	for _, repository := range args.Repositories {
		made, err := newImageRepository(ctx, repository, args.Protect, s)
		if err != nil {
			return nil, err
		}
		s.Repositories[repository.Service] = made.RepositoryUrl
	}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{})
}
