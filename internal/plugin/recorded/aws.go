package recorded

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// AWSVersion is the version of the pulumi-aws SDK whose plugin the stand-in
// takes the place of.
const AWSVersion = "6.83.2"

const (
	// recordedAccount is used when the provider's inputs name no account. It
	// is the account of AWS documentation.
	recordedAccount = "123456789012"
	recordedRegion  = "us-east-1"
)

// NewAWS makes a provider for the package aws. The logger may be nil.
func NewAWS(logger *slog.Logger) *Provider {
	return newProvider(AWSVersion, logger, service{
		name:   "aws",
		notice: "aws: recorded only: no AWS account is touched",
		kinds:  awsKinds,
		// Another region has none of the resources: the plugin replaces all.
		fixed:  []resource.PropertyKey{"region"},
		fill:   fillAWS,
		invoke: invokeAWS,
	})
}

// bucketOwner is the input of parts of a bucket that names its account.
var bucketOwner = []resource.PropertyKey{"expectedBucketOwner"}

// awsKinds are the types that the program declares. Fixed inputs are those for
// which the plugin's schema forces a replacement.
var awsKinds = map[string]kind{
	"aws:s3/bucket:Bucket":                                                                       {name: "bucket"},
	"aws:s3/bucketV2:BucketV2":                                                                   {name: "bucket", fixed: []resource.PropertyKey{"objectLockEnabled"}},
	"aws:s3/bucketVersioningV2:BucketVersioningV2":                                               {name: "bucket", borrowed: true, fixed: bucketOwner},
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                                     {name: "bucket", borrowed: true},
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                                     {name: "bucket", borrowed: true},
	"aws:s3/bucketPolicy:BucketPolicy":                                                           {name: "bucket", borrowed: true},
	"aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2":                                 {name: "bucket", borrowed: true, fixed: bucketOwner},
	"aws:s3/bucketLoggingV2:BucketLoggingV2":                                                     {name: "bucket", borrowed: true, fixed: bucketOwner},
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":                       {name: "bucket", borrowed: true, fixed: bucketOwner},
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": {name: "bucket", borrowed: true, fixed: bucketOwner},

	"aws:ecr/repository:Repository":             {name: "name", fixed: []resource.PropertyKey{"encryptionConfigurations"}},
	"aws:ecr/lifecyclePolicy:LifecyclePolicy":   {name: "repository", borrowed: true, fixed: []resource.PropertyKey{"policy"}},
	"aws:ecr/repositoryPolicy:RepositoryPolicy": {name: "repository", borrowed: true},

	"aws:iam/role:Role":             {name: "name", fixed: []resource.PropertyKey{"path"}},
	"aws:iam/rolePolicy:RolePolicy": {name: "name"},
	"aws:iam/user:User":             {name: "name"},
	"aws:iam/userPolicy:UserPolicy": {name: "name"},
	"aws:iam/accessKey:AccessKey":   {},
	"aws:iam/group:Group":           {name: "name"},
	"aws:iam/policy:Policy":         {name: "name"},

	"aws:cloudfront/distribution:Distribution":               {fixed: []resource.PropertyKey{"staging"}},
	"aws:cloudfront/originAccessControl:OriginAccessControl": {name: "name"},
}

func fillAWS(r *record) {
	account, region := accountOf(r.config), regionOf(r.config)
	path := r.text("path")
	if path == "" {
		path = "/"
	}
	switch string(r.urn.Type()) {
	case "aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2":
		r.add("arn", "arn:aws:s3:::"+r.id)
		r.add("bucketDomainName", r.id+".s3.amazonaws.com")
		r.add("bucketRegionalDomainName", fmt.Sprintf("%s.s3.%s.amazonaws.com", r.id, region))
		r.add("region", region)
	case "aws:ecr/repository:Repository":
		r.add("arn", fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", region, account, r.id))
		r.add("registryId", account)
		r.add("repositoryUrl", fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s", account, region, r.id))
	case "aws:ecr/lifecyclePolicy:LifecyclePolicy", "aws:ecr/repositoryPolicy:RepositoryPolicy":
		r.add("registryId", account)
	case "aws:iam/role:Role", "aws:iam/user:User", "aws:iam/group:Group":
		kind := map[string]string{"Role": "role", "User": "user", "Group": "group"}[string(r.urn.Type().Name())]
		r.add("arn", fmt.Sprintf("arn:aws:iam::%s:%s%s%s", account, kind, path, r.id))
		r.add("uniqueId", "AROA"+r.digest()[:17])
	case "aws:iam/policy:Policy":
		r.id = fmt.Sprintf("arn:aws:iam::%s:policy%s%s", account, path, r.id)
		r.add("arn", r.id)
		r.add("policyId", "ANPA"+r.digest()[:17])
	case "aws:iam/rolePolicy:RolePolicy":
		r.id = r.text("role") + ":" + r.id
	case "aws:iam/userPolicy:UserPolicy":
		r.id = r.text("user") + ":" + r.id
	case "aws:iam/accessKey:AccessKey":
		r.id = "AKIA" + strings.ToUpper(r.digest()[:16])
		r.state["secret"] = resource.MakeSecret(resource.NewStringProperty(contentDigest("no real key of", r.urn)[:40]))
	case "aws:cloudfront/distribution:Distribution":
		r.id = "E" + strings.ToUpper(r.digest()[:13])
		r.add("arn", fmt.Sprintf("arn:aws:cloudfront::%s:distribution/%s", account, r.id))
		r.add("domainName", "d"+r.digest()[:13]+".cloudfront.net")
		r.add("hostedZoneId", "Z2FDTNDATAQYW2")
	case "aws:cloudfront/originAccessControl:OriginAccessControl":
		r.id = "E" + strings.ToUpper(r.digest()[:13])
	case "aws:iam/openIdConnectProvider:OpenIdConnectProvider":
		r.id = fmt.Sprintf("arn:aws:iam::%s:oidc-provider/%s", account, trimScheme(r.text("url")))
		r.add("arn", r.id)
	default:
		if !r.kind.borrowed {
			r.add("arn", fmt.Sprintf("arn:aws:%s:%s:%s:%s/%s", r.module(), region, account, r.urn.Type().Name(), r.id))
		}
	}
}

func trimScheme(url string) string {
	const scheme = "https://"
	if len(url) > len(scheme) && url[:len(scheme)] == scheme {
		return url[len(scheme):]
	}
	return url
}

func regionOf(config resource.PropertyMap) string {
	if region := textOf(config["region"]); region != "" {
		return region
	}
	return recordedRegion
}

// accountOf is the first allowed account of the provider.
func accountOf(config resource.PropertyMap) string {
	allowed := config["allowedAccountIds"]
	if allowed.IsArray() && len(allowed.ArrayValue()) > 0 {
		if account := textOf(allowed.ArrayValue()[0]); account != "" {
			return account
		}
	}
	return recordedAccount
}

func invokeAWS(config resource.PropertyMap, token string, _ resource.PropertyMap) (resource.PropertyMap, bool) {
	account, region := accountOf(config), regionOf(config)
	var result map[string]string
	switch token {
	case "aws:index/getCallerIdentity:getCallerIdentity":
		result = map[string]string{
			"accountId": account, "arn": fmt.Sprintf("arn:aws:iam::%s:user/recorded", account), "id": account, "userId": "RECORDED",
		}
	case "aws:index/getRegion:getRegion":
		result = map[string]string{"id": region, "name": region, "endpoint": fmt.Sprintf("ec2.%s.amazonaws.com", region)}
	case "aws:index/getPartition:getPartition":
		result = map[string]string{"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}
	default:
		return nil, false
	}
	m := resource.PropertyMap{}
	for key, value := range result {
		m[resource.PropertyKey(key)] = resource.NewStringProperty(value)
	}
	return m, true
}
