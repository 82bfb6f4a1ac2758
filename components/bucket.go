package components

import (
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/iampolicy"
	"nova.dev/infra/internal/stack"
)

// corsMaxAgeSeconds is how long a browser may remember what a bucket allows.
const corsMaxAgeSeconds = 3600

// bucketDeclaration is the state of declaring one bucket.
type bucketDeclaration struct {
	ctx    *pulumi.Context
	c      *stack.Stack
	bucket catalog.Bucket
	// name is its name in S3, once it exists.
	name   pulumi.StringOutput
	parent pulumi.Resource
	// last is what the next part of the bucket waits for.
	last pulumi.Resource
}

// newBucket declares a private, versioned and encrypted bucket and returns its
// name. Its resource keeps the name of the catalogue whatever the bucket is
// called, so that another name shows as a replacement, which protection
// refuses.
func newBucket(ctx *pulumi.Context, c *stack.Stack, bucket catalog.Bucket, parent pulumi.Resource) (pulumi.StringOutput, error) {
	made, err := s3.NewBucketV2(ctx, string(bucket), &s3.BucketV2Args{
		Bucket:       pulumi.String(c.CatalogEnvironment().Buckets[bucket]),
		ForceDestroy: pulumi.Bool(!c.DeletionProtection),
	}, append(keepsData(c), pulumi.Parent(parent))...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	d := &bucketDeclaration{ctx: ctx, c: c, bucket: bucket, name: made.Bucket, parent: parent, last: made}
	for _, declare := range []func() error{d.ownership, d.publicAccess, d.encryption, d.versioning, d.policy, d.lifecycle, d.cors} {
		if err := declare(); err != nil {
			return pulumi.StringOutput{}, err
		}
	}
	return made.Bucket, nil
}

// part are the options of a part of the bucket. S3 refuses to change two parts
// of a bucket at once, so that each waits for the one before.
func (d *bucketDeclaration) part() []pulumi.ResourceOption {
	return []pulumi.ResourceOption{pulumi.Parent(d.parent), pulumi.DependsOn([]pulumi.Resource{d.last})}
}

// keptPart are the options of a part that stays with a bucket that is kept:
// without it the bucket would be less private, or objects could not be brought
// back.
func (d *bucketDeclaration) keptPart() []pulumi.ResourceOption {
	return append(keepsData(d.c), d.part()...)
}

func (d *bucketDeclaration) resourceName() string { return string(d.bucket) }

// ownership switches access control lists off: the account owns every object.
func (d *bucketDeclaration) ownership() error {
	made, err := s3.NewBucketOwnershipControls(d.ctx, d.resourceName(), &s3.BucketOwnershipControlsArgs{
		Bucket: d.name,
		Rule:   &s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, d.keptPart()...)
	d.last = made
	return err
}

func (d *bucketDeclaration) publicAccess() error {
	made, err := s3.NewBucketPublicAccessBlock(d.ctx, d.resourceName(), &s3.BucketPublicAccessBlockArgs{
		Bucket:                d.name,
		BlockPublicAcls:       pulumi.Bool(true),
		BlockPublicPolicy:     pulumi.Bool(true),
		IgnorePublicAcls:      pulumi.Bool(true),
		RestrictPublicBuckets: pulumi.Bool(true),
	}, d.keptPart()...)
	d.last = made
	return err
}

// encryption encrypts with the configured key or one managed by S3. A bucket
// key saves a call of KMS for each object.
func (d *bucketDeclaration) encryption() error {
	rule := &s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
		ApplyServerSideEncryptionByDefault: &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
			SseAlgorithm: pulumi.String("AES256"),
		},
	}
	if key := d.c.Storage.KMSKey; key != "" {
		rule.ApplyServerSideEncryptionByDefault = &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
			SseAlgorithm:   pulumi.String("aws:kms"),
			KmsMasterKeyId: pulumi.String(key),
		}
		rule.BucketKeyEnabled = pulumi.Bool(true)
	}
	made, err := s3.NewBucketServerSideEncryptionConfigurationV2(d.ctx, d.resourceName(), &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: d.name,
		Rules:  s3.BucketServerSideEncryptionConfigurationV2RuleArray{rule},
	}, d.keptPart()...)
	d.last = made
	return err
}

func (d *bucketDeclaration) versioning() error {
	made, err := s3.NewBucketVersioningV2(d.ctx, d.resourceName(), &s3.BucketVersioningV2Args{
		Bucket:                  d.name,
		VersioningConfiguration: &s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, d.keptPart()...)
	d.last = made
	return err
}

func (d *bucketDeclaration) policy() error {
	document, err := iampolicy.TLSOnly(d.c.CatalogEnvironment().Buckets[d.bucket]).JSON()
	if err != nil {
		return err
	}
	made, err := s3.NewBucketPolicy(d.ctx, d.resourceName(), &s3.BucketPolicyArgs{
		Bucket: d.name,
		Policy: pulumi.String(document),
	}, d.keptPart()...)
	d.last = made
	return err
}

// lifecycle declares every rule at once: a bucket has one configuration.
func (d *bucketDeclaration) lifecycle() error {
	rules := s3.BucketLifecycleConfigurationV2RuleArray{
		d.rule("unfinished-uploads", &s3.BucketLifecycleConfigurationV2RuleArgs{
			AbortIncompleteMultipartUpload: &s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(d.c.Storage.AbortMultipartDays),
			},
		}),
		d.rule("old-versions", &s3.BucketLifecycleConfigurationV2RuleArgs{
			NoncurrentVersionExpiration: &s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{
				NoncurrentDays: pulumi.Int(d.c.Storage.NoncurrentDays),
			},
			// The mark of a deletion goes with the last version that it hides.
			Expiration: &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{ExpiredObjectDeleteMarker: pulumi.Bool(true)},
		}),
	}
	if days := d.c.Storage.ExpireDays[string(d.bucket)]; days > 0 {
		rules = append(rules, d.rule("old-objects", &s3.BucketLifecycleConfigurationV2RuleArgs{
			Expiration: &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(days)},
		}))
	}
	made, err := s3.NewBucketLifecycleConfigurationV2(d.ctx, d.resourceName(), &s3.BucketLifecycleConfigurationV2Args{
		Bucket: d.name,
		Rules:  rules,
	}, d.part()...)
	d.last = made
	return err
}

// rule completes a rule for all objects.
func (d *bucketDeclaration) rule(id string, rule *s3.BucketLifecycleConfigurationV2RuleArgs) *s3.BucketLifecycleConfigurationV2RuleArgs {
	rule.Id = pulumi.String(id)
	rule.Status = pulumi.String("Enabled")
	rule.Filter = &s3.BucketLifecycleConfigurationV2RuleFilterArgs{}
	return rule
}

// cors lets the pages of the API's origins use the URLs that services sign.
func (d *bucketDeclaration) cors() error {
	origins := d.c.BrowserOrigins()
	methods := browserMethods(catalog.BucketActions(d.c.CatalogServices(), d.bucket))
	if !d.bucket.Signed() || len(methods) == 0 || len(origins) == 0 {
		return nil
	}
	made, err := s3.NewBucketCorsConfigurationV2(d.ctx, d.resourceName(), &s3.BucketCorsConfigurationV2Args{
		Bucket: d.name,
		CorsRules: s3.BucketCorsConfigurationV2CorsRuleArray{&s3.BucketCorsConfigurationV2CorsRuleArgs{
			AllowedOrigins: pulumi.ToStringArray(origins),
			AllowedMethods: pulumi.ToStringArray(methods),
			// What a signed upload sends, and what tells that it arrived whole.
			AllowedHeaders: pulumi.ToStringArray([]string{"Content-Type", "Content-MD5", "x-amz-*"}),
			ExposeHeaders:  pulumi.ToStringArray([]string{"ETag"}),
			MaxAgeSeconds:  pulumi.Int(corsMaxAgeSeconds),
		}},
	}, d.part()...)
	d.last = made
	return err
}

// browserMethods are the HTTP methods of signed URLs for actions on objects.
func browserMethods(actions []string) []string {
	var methods []string
	if slices.Contains(actions, "s3:GetObject") {
		methods = append(methods, "GET")
	}
	if slices.Contains(actions, "s3:PutObject") {
		methods = append(methods, "PUT")
	}
	return methods
}
