package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/iampolicy"
)

func TestObjectStorage(t *testing.T) {
	args := components.ObjectStorageArgs{
		Protect: true,
		Buckets: []components.BucketArgs{{
			Resource: "media", Name: "nova-media", NoncurrentDays: 30, AbortMultipartDays: 7, ExpireDays: 90,
			Origins: []string{"https://nova.dev"}, Methods: []string{"PUT"}, PublicKeys: "*",
		}},
		CDN:     &components.DistributionArgs{Resource: "cdn", Name: "nova", Host: "cdn.nova.dev", Certificate: "arn:aws:acm:us-east-1:123456789012:certificate/0"},
		Readers: []string{"arn:aws:cloudfront::123456789012:distribution/E1"},
		User: &components.StorageUserArgs{
			Resource: "object-storage", Name: "nova-objects", MakesKeys: true, Rotations: 1,
			Grants: []iampolicy.Grant{{Bucket: "nova-media", Actions: []string{"s3:PutObject"}}},
		},
		Roles: []components.ServiceRoleArgs{{
			Service: "media", Resource: "media-service", Name: "nova-media",
			Account: iampolicy.ServiceAccount{AWSAccount: "123456789012", Issuer: "oidc.example.com", Namespace: "nova", Name: "media-service"},
			Grants:  []iampolicy.Grant{{Bucket: "nova-media", Actions: []string{"s3:PutObject"}}},
		}},
		Repositories: []components.ImageRepositoryArgs{{Service: "media", Resource: "media-service", Name: "nova/media-service", KeepImages: 10, UntaggedDays: 3}},
	}
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		storage, err := components.NewObjectStorage(ctx, "nova", &args, opts...)
		if err == nil {
			assert.Len(t, storage.Roles, 1)
			assert.Len(t, storage.Repositories, 1)
			assert.NotNil(t, storage.CDN)
			assert.NotNil(t, storage.AccessKey)
		}
		return err
	}, func(t *testing.T, all registrations) {
		all.component(t, "ObjectStorage", "nova", "", "BucketV2", "BucketOwnershipControls", "BucketPublicAccessBlock",
			"BucketServerSideEncryptionConfigurationV2", "BucketVersioningV2", "BucketPolicy", "BucketLifecycleConfigurationV2",
			"BucketCorsConfigurationV2", "OriginAccessControl", "Distribution", "User", "UserPolicy", "User", "UserPolicy", "AccessKey", "AccessKey", "Role", "RolePolicy", "Repository", "LifecyclePolicy")
		bucket := all.one(t, "BucketV2", "media")
		assert.True(t, bucket.protect)
		assert.Equal(t, "nova-media", bucket.at("bucket"))
		assert.Equal(t, false, bucket.at("forceDestroy"))
		assert.EqualValues(t, 90, all.one(t, "BucketLifecycleConfigurationV2", "media").at("rules[2].expiration.days"))
		assert.Equal(t, "AES256", all.one(t, "BucketServerSideEncryptionConfigurationV2", "media").at("rules[0].applyServerSideEncryptionByDefault.sseAlgorithm"))
		assert.Contains(t, all.one(t, "RolePolicy", "media-service").at("policy"), "s3:PutObject")
		assert.Contains(t, all.one(t, "Role", "media-service").at("assumeRolePolicy"), "system:serviceaccount:nova:media-service")
		assert.Equal(t, "media", all.one(t, "Distribution", "cdn").at("defaultCacheBehavior.targetOriginId"))
		assert.True(t, all.one(t, "Distribution", "cdn").protect)
		assert.Contains(t, all.one(t, "UserPolicy", "object-storage-b").at("policy"), "s3:PutObject")
		repository := all.one(t, "Repository", "media-service")
		assert.True(t, repository.protect)
		assert.Equal(t, "IMMUTABLE", repository.at("imageTagMutability"))
	})
}
