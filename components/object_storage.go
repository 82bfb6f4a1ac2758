package components

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ObjectStorageArgs are the inputs of an ObjectStorage. Buckets and repositories
// are those of the catalogue, whichever services are enabled: switching a service
// off loses neither its files nor its images.
type ObjectStorageArgs struct {
	Buckets []BucketArgs
	// CDN is what is declared to read public objects; nil where nothing is.
	CDN *DistributionArgs
	// Readers are the ARNs of distributions that exist.
	Readers []string
	Roles   []ServiceRoleArgs
	// User has the keys of services that cannot take on a role; nil where none
	// needs them.
	User         *StorageUserArgs
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
	// AccessKey is the key of the services without a role; nil where the stack
	// makes none.
	AccessKey *AccessKey
	// CDN is where CloudFront answers, for the DNS record of the CDN's host; nil
	// where the stack declares no distribution.
	CDN pulumi.StringPtrInput
	// Repositories are the URLs of the image repositories, by service.
	Repositories pulumi.StringMap
}

// NewObjectStorage declares an ObjectStorage. It needs a provider for aws.
func NewObjectStorage(ctx *pulumi.Context, name string, args *ObjectStorageArgs, opts ...pulumi.ResourceOption) (*ObjectStorage, error) {
	s := &ObjectStorage{Buckets: pulumi.StringMap{}, Roles: map[string]pulumi.StringOutput{}, Repositories: pulumi.StringMap{}}
	if err := ctx.RegisterComponentResource("nova:platform:ObjectStorage", name, s, opts...); err != nil {
		return nil, err
	}
	if err := s.newBuckets(ctx, args); err != nil {
		return nil, err
	}
	for _, role := range args.Roles {
		made, err := newServiceRole(ctx, role, s)
		if err != nil {
			return nil, err
		}
		s.Roles[role.Service] = made.Arn
	}
	if args.User != nil {
		var err error
		if s.AccessKey, err = newStorageUser(ctx, *args.User, s); err != nil {
			return nil, err
		}
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

// newBuckets declares the buckets and who reads them: a distribution names the
// buckets, and the policy of a bucket the distribution.
func (s *ObjectStorage) newBuckets(ctx *pulumi.Context, args *ObjectStorageArgs) error {
	var all []*bucket
	for _, each := range args.Buckets {
		made, err := newBucket(ctx, each, args.Protect, s)
		if err != nil {
			return err
		}
		s.Buckets[each.Resource] = made.name
		all = append(all, made)
	}
	readers := pulumi.ToStringArray(args.Readers)
	if args.CDN != nil {
		cdn, err := newDistribution(ctx, *args.CDN, all, args.Protect, s)
		if err != nil {
			return err
		}
		s.CDN = cdn.DomainName.ToStringPtrOutput()
		readers = append(readers, cdn.Arn)
	}
	for _, each := range all {
		if each.PublicKeys != "" {
			each.readers = readers
		}
		if err := each.parts(); err != nil {
			return err
		}
	}
	return nil
}
