package components

import (
	"cmp"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudfront"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Policies that AWS manages, by their ids in the CloudFront Developer Guide.
const (
	// cachingOptimized keeps objects for a day unless they say otherwise, by path
	// alone: the signature in a URL of cdn does not make another object of it.
	cachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
	// securityHeaders keeps browsers from taking a file for something else than
	// its type says: users upload the files.
	securityHeaders = "67f7725c-6f97-4210-82d7-5512b31e9d03"
)

// allKeys is the pattern of every key. The bucket that has it answers where no
// other pattern matches.
const allKeys = "*"

// DistributionArgs is the CloudFront distribution that serves public objects.
type DistributionArgs struct {
	// Resource is the name of its resources, Name that of its access to buckets,
	// which is unique in the account.
	Resource, Name string
	// Host is where clients reach it, Certificate the ARN of the host's
	// certificate.
	Host, Certificate string
}

// newDistribution declares a distribution over the buckets with public keys. It
// signs its requests to S3 (origin access control), so that the policies of the
// buckets can name it.
func newDistribution(ctx *pulumi.Context, args DistributionArgs, buckets []*bucket, protect bool, parent pulumi.Resource) (*cloudfront.Distribution, error) {
	access, err := cloudfront.NewOriginAccessControl(ctx, args.Resource, &cloudfront.OriginAccessControlArgs{
		Name:                          pulumi.String(args.Name),
		Description:                   pulumi.String("Public objects of " + args.Host),
		OriginAccessControlOriginType: pulumi.String("s3"),
		SigningBehavior:               pulumi.String("always"),
		SigningProtocol:               pulumi.String("sigv4"),
	}, append(keepsData(protect), pulumi.Parent(parent))...)
	if err != nil {
		return nil, err
	}
	distribution := &cloudfront.DistributionArgs{
		Comment:       pulumi.String("Public objects of " + args.Host),
		Enabled:       pulumi.Bool(true),
		IsIpv6Enabled: pulumi.Bool(true),
		HttpVersion:   pulumi.String("http2and3"),
		Aliases:       pulumi.StringArray{pulumi.String(args.Host)},
		ViewerCertificate: &cloudfront.DistributionViewerCertificateArgs{
			AcmCertificateArn:      pulumi.String(args.Certificate),
			SslSupportMethod:       pulumi.String("sni-only"),
			MinimumProtocolVersion: pulumi.String("TLSv1.2_2021"),
		},
		Restrictions: &cloudfront.DistributionRestrictionsArgs{
			GeoRestriction: &cloudfront.DistributionRestrictionsGeoRestrictionArgs{RestrictionType: pulumi.String("none")},
		},
		// Nothing in the program uses it, and every edge takes minutes.
		WaitForDeployment: pulumi.Bool(false),
	}
	origins, behaviors := cloudfront.DistributionOriginArray{}, cloudfront.DistributionOrderedCacheBehaviorArray{}
	for _, bucket := range byPattern(buckets) {
		origins = append(origins, &cloudfront.DistributionOriginArgs{
			OriginId: pulumi.String(bucket.Resource), DomainName: bucket.domain, OriginAccessControlId: access.ID(),
		})
		if bucket.PublicKeys == allKeys {
			distribution.DefaultCacheBehavior = defaultBehavior(bucket.Resource)
			continue
		}
		behaviors = append(behaviors, behavior(bucket.Resource, bucket.PublicKeys))
	}
	distribution.Origins, distribution.OrderedCacheBehaviors = origins, behaviors
	return cloudfront.NewDistribution(ctx, args.Resource, distribution, append(keepsData(protect), pulumi.Parent(parent))...)
}

// byPattern are the buckets with public keys, the longest pattern first: the first
// behavior that matches a path serves it.
func byPattern(buckets []*bucket) []*bucket {
	public := slices.DeleteFunc(slices.Clone(buckets), func(b *bucket) bool { return b.PublicKeys == "" })
	slices.SortStableFunc(public, func(a, b *bucket) int { return cmp.Compare(len(b.PublicKeys), len(a.PublicKeys)) })
	return public
}

var readMethods = pulumi.ToStringArray([]string{"GET", "HEAD"})

func behavior(origin, pattern string) *cloudfront.DistributionOrderedCacheBehaviorArgs {
	return &cloudfront.DistributionOrderedCacheBehaviorArgs{
		TargetOriginId: pulumi.String(origin), PathPattern: pulumi.String("/" + pattern), AllowedMethods: readMethods, CachedMethods: readMethods,
		ViewerProtocolPolicy: pulumi.String("redirect-to-https"), Compress: pulumi.Bool(true),
		CachePolicyId: pulumi.String(cachingOptimized), ResponseHeadersPolicyId: pulumi.String(securityHeaders),
	}
}

func defaultBehavior(origin string) *cloudfront.DistributionDefaultCacheBehaviorArgs {
	return &cloudfront.DistributionDefaultCacheBehaviorArgs{
		TargetOriginId: pulumi.String(origin), AllowedMethods: readMethods, CachedMethods: readMethods,
		ViewerProtocolPolicy: pulumi.String("redirect-to-https"), Compress: pulumi.Bool(true),
		CachePolicyId: pulumi.String(cachingOptimized), ResponseHeadersPolicyId: pulumi.String(securityHeaders),
	}
}
