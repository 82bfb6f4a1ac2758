package components

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/iampolicy"
)

// corsMaxAgeSeconds is how long a browser may remember what a bucket allows.
const corsMaxAgeSeconds = 3600

// BucketArgs is one bucket.
type BucketArgs struct {
	// Resource is its name in the catalogue, which its resources keep whatever
	// the bucket is called, so that another name shows as a replacement, which
	// protection refuses.
	Resource string
	// Name is its name in S3.
	Name string
	// KMSKey is the ARN of the key that encrypts it; empty means one of S3's.
	KMSKey string
	// NoncurrentDays is how long a version that was overwritten can be brought
	// back, AbortMultipartDays when an unfinished upload is removed, ExpireDays
	// when an object expires; 0 means never.
	NoncurrentDays, AbortMultipartDays, ExpireDays int
	// Origins are those whose pages use signed URLs, Methods the HTTP methods
	// of these; no page does where either is empty.
	Origins, Methods []string
	// PublicKeys is the pattern of the keys that the CDN serves; empty where the
	// bucket is private.
	PublicKeys string
}

// bucket is a bucket that is being put together, part by part.
type bucket struct {
	BucketArgs
	ctx     *pulumi.Context
	protect bool
	// name is its name in S3, once it exists, domain the host at which S3 serves
	// it.
	name, domain pulumi.StringOutput
	// readers are the ARNs of the distributions that may read it.
	readers pulumi.StringArray
	parent  pulumi.Resource
	// last is what the next part of the bucket waits for.
	last pulumi.Resource
}

// newBucket declares a bucket without its parts.
func newBucket(ctx *pulumi.Context, args BucketArgs, protect bool, parent pulumi.Resource) (*bucket, error) {
	made, err := s3.NewBucketV2(ctx, args.Resource, &s3.BucketV2Args{
		Bucket:       pulumi.String(args.Name),
		ForceDestroy: pulumi.Bool(!protect),
	}, append(keepsData(protect), pulumi.Parent(parent))...)
	if err != nil {
		return nil, err
	}
	return &bucket{
		BucketArgs: args, ctx: ctx, protect: protect, name: made.Bucket, domain: made.BucketRegionalDomainName, parent: parent, last: made,
	}, nil
}

// parts declares what makes the bucket private, versioned and encrypted, and who
// may read it.
func (b *bucket) parts() error {
	for _, add := range []func() error{b.ownership, b.publicAccess, b.encryption, b.versioning, b.policy, b.lifecycle, b.cors} {
		if err := add(); err != nil {
			return err
		}
	}
	return nil
}

// part are the options of a part of the bucket. S3 refuses to change two parts
// of a bucket at once, so that each waits for the one before.
func (b *bucket) part() []pulumi.ResourceOption {
	return []pulumi.ResourceOption{pulumi.Parent(b.parent), pulumi.DependsOn([]pulumi.Resource{b.last})}
}

// keptPart are the options of a part that stays with a bucket that is kept:
// without it the bucket would be less private, or objects could not be brought
// back.
func (b *bucket) keptPart() []pulumi.ResourceOption {
	return append(keepsData(b.protect), b.part()...)
}

// ownership switches access control lists off: the account owns every object.
func (b *bucket) ownership() error {
	made, err := s3.NewBucketOwnershipControls(b.ctx, b.Resource, &s3.BucketOwnershipControlsArgs{
		Bucket: b.name,
		Rule:   &s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, b.keptPart()...)
	b.last = made
	return err
}

func (b *bucket) publicAccess() error {
	made, err := s3.NewBucketPublicAccessBlock(b.ctx, b.Resource, &s3.BucketPublicAccessBlockArgs{
		Bucket:                b.name,
		BlockPublicAcls:       pulumi.Bool(true),
		BlockPublicPolicy:     pulumi.Bool(true),
		IgnorePublicAcls:      pulumi.Bool(true),
		RestrictPublicBuckets: pulumi.Bool(true),
	}, b.keptPart()...)
	b.last = made
	return err
}

// encryption encrypts with the configured key or one managed by S3. A bucket
// key saves a call of KMS for each object.
func (b *bucket) encryption() error {
	rule := &s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
		ApplyServerSideEncryptionByDefault: &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
			SseAlgorithm: pulumi.String("AES256"),
		},
	}
	if key := b.KMSKey; key != "" {
		rule.ApplyServerSideEncryptionByDefault = &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
			SseAlgorithm:   pulumi.String("aws:kms"),
			KmsMasterKeyId: pulumi.String(key),
		}
		rule.BucketKeyEnabled = pulumi.Bool(true)
	}
	made, err := s3.NewBucketServerSideEncryptionConfigurationV2(b.ctx, b.Resource, &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: b.name,
		Rules:  s3.BucketServerSideEncryptionConfigurationV2RuleArray{rule},
	}, b.keptPart()...)
	b.last = made
	return err
}

func (b *bucket) versioning() error {
	made, err := s3.NewBucketVersioningV2(b.ctx, b.Resource, &s3.BucketVersioningV2Args{
		Bucket:                  b.name,
		VersioningConfiguration: &s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, b.keptPart()...)
	b.last = made
	return err
}

func (b *bucket) policy() error {
	made, err := s3.NewBucketPolicy(b.ctx, b.Resource, &s3.BucketPolicyArgs{
		Bucket: b.name,
		Policy: bucketPolicy(b.Name, b.readers),
	}, b.keptPart()...)
	b.last = made
	return err
}

// bucketPolicy is the policy of a bucket for distributions whose ARNs may not be
// known yet.
func bucketPolicy(bucket string, readers pulumi.StringArray) pulumi.StringOutput {
	return readers.ToStringArrayOutput().ApplyT(func(arns []string) (string, error) {
		return iampolicy.Bucket(bucket, arns).JSON()
	}).(pulumi.StringOutput)
}

// lifecycle declares every rule at once: a bucket has one configuration.
func (b *bucket) lifecycle() error {
	rules := s3.BucketLifecycleConfigurationV2RuleArray{
		b.rule("unfinished-uploads", &s3.BucketLifecycleConfigurationV2RuleArgs{
			AbortIncompleteMultipartUpload: &s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(b.AbortMultipartDays),
			},
		}),
		b.rule("old-versions", &s3.BucketLifecycleConfigurationV2RuleArgs{
			NoncurrentVersionExpiration: &s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{
				NoncurrentDays: pulumi.Int(b.NoncurrentDays),
			},
			// The mark of a deletion goes with the last version that it hides.
			Expiration: &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{ExpiredObjectDeleteMarker: pulumi.Bool(true)},
		}),
	}
	if days := b.ExpireDays; days > 0 {
		rules = append(rules, b.rule("old-objects", &s3.BucketLifecycleConfigurationV2RuleArgs{
			Expiration: &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(days)},
		}))
	}
	made, err := s3.NewBucketLifecycleConfigurationV2(b.ctx, b.Resource, &s3.BucketLifecycleConfigurationV2Args{
		Bucket: b.name,
		Rules:  rules,
	}, b.part()...)
	b.last = made
	return err
}

// rule completes a rule for all objects.
func (b *bucket) rule(id string, rule *s3.BucketLifecycleConfigurationV2RuleArgs) *s3.BucketLifecycleConfigurationV2RuleArgs {
	rule.Id = pulumi.String(id)
	rule.Status = pulumi.String("Enabled")
	rule.Filter = &s3.BucketLifecycleConfigurationV2RuleFilterArgs{}
	return rule
}

// cors lets pages use the URLs that services sign.
func (b *bucket) cors() error {
	if len(b.Methods) == 0 || len(b.Origins) == 0 {
		return nil
	}
	made, err := s3.NewBucketCorsConfigurationV2(b.ctx, b.Resource, &s3.BucketCorsConfigurationV2Args{
		Bucket: b.name,
		CorsRules: s3.BucketCorsConfigurationV2CorsRuleArray{&s3.BucketCorsConfigurationV2CorsRuleArgs{
			AllowedOrigins: pulumi.ToStringArray(b.Origins),
			AllowedMethods: pulumi.ToStringArray(b.Methods),
			// What a signed upload sends, and what tells that it arrived whole.
			AllowedHeaders: pulumi.ToStringArray([]string{"Content-Type", "Content-MD5", "x-amz-*"}),
			ExposeHeaders:  pulumi.ToStringArray([]string{"ETag"}),
			MaxAgeSeconds:  pulumi.Int(corsMaxAgeSeconds),
		}},
	}, b.part()...)
	b.last = made
	return err
}
