package components

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// ObjectStorage is what a stack declares in its AWS account. It is empty where
// storage is somewhere else.
type ObjectStorage struct {
	// Buckets are the names of the buckets, by their name in the catalogue.
	Buckets pulumi.StringMap
	// Roles are the ARNs of the roles that services take on, by service.
	Roles map[string]pulumi.StringOutput
	// Repositories are the URLs of the image repositories, by service.
	Repositories pulumi.StringMap
}

// newObjectStorage declares the buckets, the roles of the services that write
// to them, and the image repositories.
//
// Buckets and repositories are those of the catalogue, whichever services are
// enabled: switching a service off loses neither its files nor its images.
func newObjectStorage(ctx *pulumi.Context, c *stack.Stack, parent pulumi.Resource) (*ObjectStorage, error) {
	storage := &ObjectStorage{Buckets: pulumi.StringMap{}, Roles: map[string]pulumi.StringOutput{}, Repositories: pulumi.StringMap{}}
	if c.Storage.Mode != config.StorageAWS {
		return storage, nil
	}
	for _, bucket := range catalog.Buckets() {
		name, err := newBucket(ctx, c, bucket, parent)
		if err != nil {
			return nil, err
		}
		storage.Buckets[string(bucket)] = name
	}
	for _, s := range c.Services {
		if len(s.Buckets) == 0 {
			continue
		}
		role, err := newServiceRole(ctx, c, s.Service, parent)
		if err != nil {
			return nil, err
		}
		storage.Roles[s.Name] = role.Arn
	}
	if !c.CreatesRepositories() {
		return storage, nil
	}
	for _, s := range catalog.Services() {
		repository, err := newImageRepository(ctx, c, s, parent)
		if err != nil {
			return nil, err
		}
		storage.Repositories[s.Name] = repository.RepositoryUrl
	}
	return storage, nil
}
