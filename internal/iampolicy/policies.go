package iampolicy

import (
	"fmt"
	"slices"
	"strings"
)

// audience is the required audience of a service account's token; it is the
// default of the EKS pod identity webhook.
const audience = "sts.amazonaws.com"

const bucketPrefix = "arn:aws:s3:::"

// BucketARN is the ARN of a bucket.
func BucketARN(bucket string) string { return bucketPrefix + bucket }

func objectsOf(bucket string) string { return BucketARN(bucket) + "/*" }

// ServiceAccount is the identity of pods that the OIDC issuer of their cluster
// attests.
type ServiceAccount struct {
	// AWSAccount is the account in which the issuer is registered, 12 digits.
	AWSAccount string
	// Issuer is the OIDC issuer without its scheme.
	Issuer    string
	Namespace string
	Name      string
}

// Trust is the trust policy of a role that only this service account may
// assume: the token must have this subject and the audience of AWS.
func Trust(account ServiceAccount) Document {
	return newDocument(Statement{
		Effect: Allow,
		Principal: &Principal{Federated: []string{
			fmt.Sprintf("arn:aws:iam::%s:oidc-provider/%s", account.AWSAccount, account.Issuer),
		}},
		Actions: []string{"sts:AssumeRoleWithWebIdentity"},
		Conditions: Conditions{"StringEquals": {
			account.Issuer + ":sub": {fmt.Sprintf("system:serviceaccount:%s:%s", account.Namespace, account.Name)},
			account.Issuer + ":aud": {audience},
		}},
	})
}

// Grant is what a role may do with a bucket.
type Grant struct {
	Bucket string
	// Actions are those on its objects, List the listing of their names.
	Actions []string
	List    bool
}

// ObjectAccess allows exactly the grants. kmsKey is the ARN of the key that
// encrypts the buckets; where it is set, the role may also use the key as far
// as the grants need it. Empty means keys managed by S3, which need no
// permission.
func ObjectAccess(grants []Grant, kmsKey string) Document {
	document := newDocument()
	var all []string
	for _, grant := range grants {
		document.Statements = append(document.Statements, Statement{
			Effect:    Allow,
			Actions:   grant.Actions,
			Resources: []string{objectsOf(grant.Bucket)},
		})
		if grant.List {
			document.Statements = append(document.Statements, Statement{
				Effect: Allow, Actions: []string{"s3:ListBucket"}, Resources: []string{BucketARN(grant.Bucket)},
			})
		}
		all = append(all, grant.Actions...)
	}
	if actions := keyActions(all); kmsKey != "" && len(actions) > 0 {
		document.Statements = append(document.Statements, Statement{Effect: Allow, Actions: actions, Resources: []string{kmsKey}})
	}
	return document
}

// keyActions are the actions on a KMS key that actions on objects imply: S3
// encrypts with the rights of the writer and decrypts with those of the reader.
func keyActions(actions []string) []string {
	var implied []string
	for _, action := range actions {
		switch {
		case strings.HasPrefix(action, "s3:Put"):
			implied = append(implied, "kms:GenerateDataKey")
		case strings.HasPrefix(action, "s3:Get"):
			implied = append(implied, "kms:Decrypt")
		}
	}
	slices.Sort(implied)
	return slices.Compact(implied)
}

// cloudFront is the service principal of CloudFront, which signs its requests to
// a bucket where the distribution has origin access control.
const cloudFront = "cloudfront.amazonaws.com"

// sourceARN is the condition that names the resource on whose behalf a service of
// AWS makes a request. Without it anybody's distribution could read.
const sourceARN = "AWS:SourceArn"

// Bucket is the policy of a bucket: requests without TLS are refused, and the
// CloudFront distributions of the ARNs may read its objects, but not list them.
// Without distributions it allows nothing.
func Bucket(bucket string, distributions []string) Document {
	document := TLSOnly(bucket)
	if len(distributions) > 0 {
		document.Statements = append(document.Statements, Statement{
			ID:         "AllowDistributionsToRead",
			Effect:     Allow,
			Principal:  &Principal{Service: []string{cloudFront}},
			Actions:    []string{"s3:GetObject"},
			Resources:  []string{objectsOf(bucket)},
			Conditions: Conditions{"StringEquals": {sourceARN: distributions}},
		})
	}
	return document
}

// TLSOnly makes a bucket refuse every request that does not come over TLS. It
// allows nothing.
func TLSOnly(bucket string) Document {
	return newDocument(Statement{
		ID:         "DenyWithoutTLS",
		Effect:     Deny,
		Principal:  &Principal{AWS: []string{everybody}},
		Actions:    []string{"s3:*"},
		Resources:  []string{BucketARN(bucket), objectsOf(bucket)},
		Conditions: Conditions{"Bool": {"aws:SecureTransport": {"false"}}},
	})
}
