package tests

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/iampolicy"
	"nova.dev/infra/internal/stack"
)

// The types of a bucket's parts, in the order in which they must be made.
var bucketParts = []string{
	"aws:s3/bucketV2:BucketV2",
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls",
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
	"aws:s3/bucketVersioningV2:BucketVersioningV2",
	"aws:s3/bucketPolicy:BucketPolicy",
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
	"aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2",
}

// keptInAWS are the types without which data would be lost or laid open.
var keptInAWS = map[string]bool{
	"aws:s3/bucketV2:BucketV2":                                                                   true,
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                                     true,
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                                     true,
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": true,
	"aws:s3/bucketVersioningV2:BucketVersioningV2":                                               true,
	"aws:s3/bucketPolicy:BucketPolicy":                                                           true,
	"aws:ecr/repository:Repository":                                                              true,
	"aws:cloudfront/distribution:Distribution":                                                   true,
	"aws:cloudfront/originAccessControl:OriginAccessControl":                                     true,
}

func inAWS(all []recorded) []recorded {
	return slices.DeleteFunc(slices.Clone(all), func(r recorded) bool { return !strings.HasPrefix(r.typ, "aws:") })
}

// inputsOf are a resource's inputs as a provider gets them.
func inputsOf(t *testing.T, all []recorded, typ, name string) map[string]any {
	t.Helper()
	for _, r := range all {
		if r.typ == typ && r.name == name {
			return unwrap(r.inputs)
		}
	}
	require.Fail(t, "nothing declared", "%s %s", typ, name)
	return nil
}

// document decodes a policy, refusing fields that policies do not have.
func document(t *testing.T, text any) iampolicy.Document {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text.(string)))
	decoder.DisallowUnknownFields()
	var read iampolicy.Document
	require.NoError(t, decoder.Decode(&read), text)
	return read
}

func TestObjectStorage_only_stacks_in_AWS_declare_AWS_resources(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack, all []recorded, _ bool) {
		counts := map[string]int{}
		for _, r := range inAWS(all) {
			counts[r.typ[strings.LastIndex(r.typ, ":")+1:]]++
		}
		t.Logf("%s in AWS: %v", c.Stack, counts)
		if c.Stack == "dev" {
			assert.Empty(t, counts)
			assert.Empty(t, ofKind(all, "aws"), "a stack without an account has no provider for it")
			return
		}
		// A role for each of the four services that write, and one for backups.
		n := len(c.Buckets())
		assert.Equal(t, map[string]int{"staging": 5, "prod": 4}[c.Stack], n)
		assert.Equal(t, map[string]int{
			"BucketV2": n, "BucketOwnershipControls": n, "BucketPublicAccessBlock": n, "BucketServerSideEncryptionConfigurationV2": n,
			"BucketVersioningV2": n, "BucketPolicy": n, "BucketLifecycleConfigurationV2": n, "BucketCorsConfigurationV2": 3,
			"Role": n, "RolePolicy": n, "Repository": 11, "LifecyclePolicy": 11,
			"User": 1, "UserPolicy": 1, "AccessKey": 1, "Distribution": 1, "OriginAccessControl": 1,
		}, counts)
	})
}

func TestObjectStorage_buckets_and_repositories_are_protected(t *testing.T) {
	for _, stack := range []string{"staging", "prod"} {
		kept := 0
		for _, r := range inAWS(declare(t, load(t, stack), false)) {
			assert.Equal(t, keptInAWS[r.typ], r.protect, r.urn)
			assert.Equal(t, keptInAWS[r.typ], r.retain, r.urn)
			if r.protect {
				kept++
			}
		}
		assert.Equal(t, len(load(t, stack).Buckets())*6+11+2, kept, "buckets of six parts, a repository for each service, and the distribution with its access")
	}
	for _, r := range inAWS(declare(t, changed(t, "prod", "deletionProtection", false), false)) {
		assert.False(t, r.protect || r.retain, r.urn)
	}
}

func TestBucket_is_private_versioned_and_encrypted(t *testing.T) {
	for _, stack := range []string{"staging", "prod"} {
		c := load(t, stack)
		all := declare(t, c, false)
		for _, bucket := range c.Buckets() {
			name := "nova-" + string(bucket) + "-" + stack
			part := func(kind string) map[string]any {
				i := slices.IndexFunc(bucketParts, func(typ string) bool { return strings.HasSuffix(typ, ":"+kind) })
				inputs := inputsOf(t, all, bucketParts[i], string(bucket))
				assert.Equal(t, name, inputs["bucket"], kind)
				return inputs
			}
			assert.Equal(t, false, part("BucketV2")["forceDestroy"])
			assert.Equal(t, map[string]any{"objectOwnership": "BucketOwnerEnforced"}, part("BucketOwnershipControls")["rule"])
			block := part("BucketPublicAccessBlock")
			for _, key := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
				assert.Equal(t, true, block[key], key)
			}
			assert.Equal(t, map[string]any{"status": "Enabled"}, part("BucketVersioningV2")["versioningConfiguration"])
			assert.Equal(t, []any{map[string]any{"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "AES256"}}},
				part("BucketServerSideEncryptionConfigurationV2")["rules"])
			var readers []string
			if bucket != catalog.BucketAudio && bucket != catalog.BucketBackups {
				readers = []string{"arn:aws:cloudfront::" + c.AWS.Account + ":distribution/E0"}
			}
			assert.Equal(t, iampolicy.Bucket(name, readers), document(t, part("BucketPolicy")["policy"]))
		}
	}
}

func TestBucket_is_encrypted_with_the_configured_key(t *testing.T) {
	const key = "arn:aws:kms:ap-northeast-1:444455556666:key/0123"
	c := changed(t, "prod", "storage", map[string]any{"kmsKey": key})
	all := declare(t, c, false)
	assert.Equal(t, []any{map[string]any{
		"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}, "bucketKeyEnabled": true,
	}}, inputsOf(t, all, bucketParts[3], "media")["rules"])
	statements := document(t, inputsOf(t, all, "aws:iam/rolePolicy:RolePolicy", "media-service")["policy"]).Statements
	assert.Equal(t, iampolicy.Statement{Effect: "Allow", Actions: []string{"kms:GenerateDataKey"}, Resources: []string{key}}, statements[len(statements)-1])
}

func TestBucket_has_one_lifecycle_configuration(t *testing.T) {
	c := changed(t, "prod", "storage", map[string]any{"noncurrentDays": 45, "abortMultipartDays": 3, "expireDays": map[string]any{"audio": 90}})
	all := declare(t, c, false)
	base := []any{
		map[string]any{"id": "unfinished-uploads", "status": "Enabled", "filter": map[string]any{},
			"abortIncompleteMultipartUpload": map[string]any{"daysAfterInitiation": 3.0}},
		map[string]any{"id": "old-versions", "status": "Enabled", "filter": map[string]any{},
			"noncurrentVersionExpiration": map[string]any{"noncurrentDays": 45.0},
			"expiration":                  map[string]any{"expiredObjectDeleteMarker": true}},
	}
	expires := append(slices.Clone(base), map[string]any{"id": "old-objects", "status": "Enabled", "filter": map[string]any{}, "expiration": map[string]any{"days": 90.0}})
	for _, bucket := range catalog.Buckets() {
		want := base
		if bucket == catalog.BucketAudio {
			want = expires
		}
		assert.Equal(t, want, inputsOf(t, all, bucketParts[6], string(bucket))["rules"], bucket)
	}
}

func TestBucket_CORS_allows_uploads_where_services_sign(t *testing.T) {
	c := changed(t, "prod", "variables", map[string]any{"CORS_ALLOWED_ORIGINS": "https://nova.dev, https://app.nova.dev"})
	all := declare(t, c, false)
	for _, bucket := range []string{"media", "uploads", "audio"} {
		assert.Equal(t, []any{map[string]any{
			"allowedOrigins": []any{"https://nova.dev", "https://app.nova.dev"},
			"allowedMethods": []any{"PUT"},
			"allowedHeaders": []any{"Content-Type", "Content-MD5", "x-amz-*"},
			"exposeHeaders":  []any{"ETag"},
			"maxAgeSeconds":  3600.0,
		}}, inputsOf(t, all, bucketParts[7], bucket)["corsRules"], bucket)
	}
	reads := changed(t, "prod", "services", map[string]any{"media": map[string]any{"buckets": []any{map[string]any{
		"bucket": "uploads", "variable": "S3_BUCKET", "actions": []any{"s3:GetObject", "s3:PutObject"},
	}}}})
	rules := inputsOf(t, declare(t, reads, false), bucketParts[7], "uploads")["corsRules"].([]any)
	assert.Equal(t, []any{"GET", "PUT"}, rules[0].(map[string]any)["allowedMethods"])
}

func TestBucket_parts_are_created_one_after_another(t *testing.T) {
	eachStack(t, func(t *testing.T, _ *stack.Stack, all []recorded, _ bool) {
		for _, bucket := range catalog.Buckets() {
			before := ""
			for _, typ := range bucketParts {
				i := slices.IndexFunc(all, func(r recorded) bool { return r.typ == typ && r.name == string(bucket) })
				if i < 0 {
					continue
				}
				if before != "" {
					assert.Contains(t, strings.Join(all[i].dependsOn, " "), before, "%s of %s", typ, bucket)
				}
				before = typ + "::" + string(bucket)
			}
		}
	})
}

func TestRole_is_for_one_ServiceAccount_and_its_objects(t *testing.T) {
	for _, stack := range []string{"staging", "prod"} {
		c := load(t, stack)
		all := declare(t, c, false)
		for _, s := range c.Services {
			account := as[corev1.ServiceAccount](t, find(t, all, "ServiceAccount", s.KubernetesName()))
			if len(s.Buckets) == 0 {
				assert.NotContains(t, account.Annotations, "eks.amazonaws.com/role-arn")
				for _, r := range inAWS(all) {
					assert.False(t, strings.HasPrefix(r.typ, "aws:iam/") && r.name == s.KubernetesName(), r.urn)
				}
				continue
			}
			role := inputsOf(t, all, "aws:iam/role:Role", s.KubernetesName())
			name := "nova-" + stack + "-" + s.Name
			assert.Equal(t, name, role["name"])
			assert.Equal(t, "arn:aws:iam::"+c.AWS.Account+":role/"+name, account.Annotations["eks.amazonaws.com/role-arn"])
			assert.False(t, *account.AutomountServiceAccountToken)

			trust := document(t, role["assumeRolePolicy"])
			issuer := strings.TrimPrefix(c.AWS.OIDCIssuer, "https://")
			require.Len(t, trust.Statements, 1)
			assert.Equal(t, iampolicy.Statement{
				Effect:    iampolicy.Allow,
				Principal: &iampolicy.Principal{Federated: []string{"arn:aws:iam::" + c.AWS.Account + ":oidc-provider/" + issuer}},
				Actions:   []string{"sts:AssumeRoleWithWebIdentity"},
				Conditions: iampolicy.Conditions{"StringEquals": {
					issuer + ":sub": {"system:serviceaccount:" + c.Namespace + ":" + s.KubernetesName()},
					issuer + ":aud": {"sts.amazonaws.com"},
				}},
			}, trust.Statements[0])

			policy := inputsOf(t, all, "aws:iam/rolePolicy:RolePolicy", s.KubernetesName())
			assert.Equal(t, name, policy["role"])
			access := document(t, policy["policy"])
			require.Len(t, access.Statements, len(s.Buckets))
			for i, use := range s.Buckets {
				statement := access.Statements[i]
				assert.Equal(t, iampolicy.Allow, statement.Effect)
				assert.Equal(t, use.Actions, statement.Actions)
				assert.Equal(t, []string{"arn:aws:s3:::nova-" + string(use.Bucket) + "-" + stack + "/*"}, statement.Resources)
				for _, action := range statement.Actions {
					assert.NotContains(t, action, "*")
				}
			}
		}
	}
}

func TestBucket_policy_names_everybody_only_to_deny_plain_HTTP(t *testing.T) {
	for _, stack := range []string{"staging", "prod"} {
		policies := 0
		for _, r := range inAWS(declare(t, load(t, stack), false)) {
			for _, key := range []string{"policy", "assumeRolePolicy"} {
				text, ok := unwrap(r.inputs)[key]
				if !ok || strings.HasPrefix(r.typ, "aws:ecr/") {
					continue
				}
				policies++
				for _, s := range document(t, text).Statements {
					wide := slices.Contains(s.Actions, "s3:*") || s.Principal != nil && slices.Contains(s.Principal.AWS, "*")
					assert.Equal(t, s.Effect == iampolicy.Deny, wide, r.urn)
					if wide {
						assert.Equal(t, iampolicy.Conditions{"Bool": {"aws:SecureTransport": {"false"}}}, s.Conditions)
					}
				}
			}
		}
		assert.Equal(t, 3*len(load(t, stack).Buckets())+1, policies, "one of each bucket, two of each role, of which there are as many, one of the user")
	}
}

func TestCDN_reads_public_objects_and_no_others(t *testing.T) {
	for _, stack := range []string{"staging", "prod"} {
		c := load(t, stack)
		all := declare(t, c, false)
		access := inputsOf(t, all, "aws:cloudfront/originAccessControl:OriginAccessControl", "cdn")
		assert.Equal(t, "nova-"+stack, access["name"])
		assert.Equal(t, []any{"s3", "always", "sigv4"}, []any{access["originAccessControlOriginType"], access["signingBehavior"], access["signingProtocol"]})
		cdn := inputsOf(t, all, "aws:cloudfront/distribution:Distribution", "cdn")
		assert.Equal(t, []any{c.VariableValues()["CDN_DOMAIN"]}, cdn["aliases"])
		assert.Equal(t, map[string]any{"acmCertificateArn": c.AWS.CDN.Certificate, "sslSupportMethod": "sni-only", "minimumProtocolVersion": "TLSv1.2_2021"}, cdn["viewerCertificate"])
		assert.Equal(t, false, cdn["waitForDeployment"], "nothing uses it")
		var origins []string
		for _, each := range cdn["origins"].([]any) {
			origin := each.(map[string]any)
			id := origin["originId"].(string)
			assert.Equal(t, "nova-"+id+"-"+stack+".s3.ap-northeast-1.amazonaws.com", origin["domainName"])
			assert.Equal(t, "cdn-id", origin["originAccessControlId"], "requests to %s are not signed", id)
			assert.NotContains(t, origin, "s3OriginConfig", "an identity is the way before")
			origins = append(origins, id)
		}
		assert.ElementsMatch(t, []string{"media", "uploads", "cdn"}, origins, "voice messages are private")
		paths := map[string]any{}
		for _, each := range append(cdn["orderedCacheBehaviors"].([]any), cdn["defaultCacheBehavior"]) {
			behavior := each.(map[string]any)
			path, ordered := behavior["pathPattern"]
			if !ordered {
				path = "anything else"
			}
			paths[path.(string)] = behavior["targetOriginId"]
			assert.Equal(t, []any{"GET", "HEAD"}, behavior["allowedMethods"])
			assert.Equal(t, "redirect-to-https", behavior["viewerProtocolPolicy"])
			assert.NotEmpty(t, behavior["cachePolicyId"])
			assert.NotEmpty(t, behavior["responseHeadersPolicyId"])
		}
		assert.Equal(t, map[string]any{"/posts/*": "media", "/uploads/*": "uploads", "anything else": "cdn"}, paths)
	}
}

func TestCDN_of_somebody_else_may_read_the_same(t *testing.T) {
	const other = "arn:aws:cloudfront::444455556666:distribution/EDFDVBD6EXAMPLE"
	all := declare(t, changed(t, "prod", "aws", map[string]any{"cdn": map[string]any{"create": false, "certificate": "", "distributions": []any{other}}}), false)
	assert.Empty(t, ofKind(all, "Distribution"))
	for _, bucket := range catalog.Buckets() {
		policy := document(t, inputsOf(t, all, "aws:s3/bucketPolicy:BucketPolicy", string(bucket))["policy"])
		if bucket == catalog.BucketAudio {
			assert.Len(t, policy.Statements, 1)
			continue
		}
		require.Len(t, policy.Statements, 2)
		read := policy.Statements[1]
		assert.Equal(t, iampolicy.Allow, read.Effect)
		assert.Equal(t, &iampolicy.Principal{Service: []string{"cloudfront.amazonaws.com"}}, read.Principal)
		assert.Equal(t, []string{"s3:GetObject"}, read.Actions)
		assert.Equal(t, []string{"arn:aws:s3:::nova-" + string(bucket) + "-prod/*"}, read.Resources)
		assert.Equal(t, iampolicy.Conditions{"StringEquals": {"AWS:SourceArn": {other}}}, read.Conditions)
	}
	both := declare(t, changed(t, "prod", "aws", map[string]any{"cdn": map[string]any{"distributions": []any{other}}}), false)
	read := document(t, inputsOf(t, both, "aws:s3/bucketPolicy:BucketPolicy", "media")["policy"]).Statements[1]
	assert.Equal(t, []string{other, "arn:aws:cloudfront::444455556666:distribution/E0"}, read.Conditions["StringEquals"]["AWS:SourceArn"], "traffic moves from one to the other")
}

func TestStorageUser_has_the_rights_of_the_services_without_a_role(t *testing.T) {
	for _, stack := range []string{"staging", "prod"} {
		all := declare(t, load(t, stack), false)
		user := inputsOf(t, all, "aws:iam/user:User", "object-storage-a")
		assert.Equal(t, "nova-"+stack+"-objects-a", user["name"])
		policy := inputsOf(t, all, "aws:iam/userPolicy:UserPolicy", "object-storage-a")
		assert.Equal(t, user["name"], policy["user"])
		assert.Equal(t, iampolicy.ObjectAccess([]iampolicy.Grant{{Bucket: "nova-media-" + stack, Actions: []string{"s3:PutObject"}}}, ""), document(t, policy["policy"]))
		assert.Equal(t, user["name"], inputsOf(t, all, "aws:iam/accessKey:AccessKey", "object-storage-1")["user"])
	}
}

func TestStorageUser_keys_are_in_the_Secret_and_nowhere_else(t *testing.T) {
	all := declare(t, load(t, "prod"), false)
	data := find(t, all, "Secret", "nova-backend-secrets").inputs["data"]
	holds := func(key, want string) {
		encoded := data.SecretValue().Element.ObjectValue()[resource.PropertyKey(key)]
		for encoded.IsSecret() {
			encoded = encoded.SecretValue().Element
		}
		text, err := base64.StdEncoding.DecodeString(encoded.StringValue())
		require.NoError(t, err)
		assert.Equal(t, want, string(text))
	}
	require.True(t, data.IsSecret())
	holds("AWS_ACCESS_KEY_ID", "generated-object-storage-1")
	holds("AWS_SECRET_ACCESS_KEY", "generated-object-storage-1")
	for _, r := range all {
		if r.typ != "kubernetes:core/v1:Secret" {
			assert.NotContains(t, fmt.Sprint(r.inputs.MapRepl(nil, func(v resource.PropertyValue) (any, bool) {
				if v.IsSecret() {
					return "secret", true
				}
				return nil, false
			})), "generated-object-storage-1", r.urn)
		}
	}
}

func TestStorageUser_previous_key_stays_until_the_next_rotation(t *testing.T) {
	for rotations, want := range map[int]map[string]string{
		0: {"object-storage-1": "a"},
		1: {"object-storage-1": "a", "object-storage-2": "b"},
		2: {"object-storage-2": "b", "object-storage-3": "a"},
		3: {"object-storage-3": "a", "object-storage-4": "b"},
	} {
		all := declare(t, changed(t, "prod", "secretSources", map[string]any{"rotation": map[string]any{
			"AWS_ACCESS_KEY_ID": text(rotations), "AWS_SECRET_ACCESS_KEY": text(rotations),
		}}), false)
		got := map[string]string{}
		for _, r := range ofKind(all, "AccessKey") {
			got[r.name] = strings.TrimPrefix(unwrap(r.inputs)["user"].(string), "nova-prod-objects-")
		}
		assert.Equal(t, want, got, "%d rotations: IAM allows a user two keys, of which one goes last", rotations)
		assert.Len(t, ofKind(all, "User"), min(rotations, 1)+1)
	}
	external := declare(t, changed(t, "prod", "secretSources", map[string]any{"keys": map[string]any{"AWS_ACCESS_KEY_ID": "external", "AWS_SECRET_ACCESS_KEY": "external"}}), false)
	assert.Empty(t, ofKind(external, "AccessKey"))
	assert.Len(t, ofKind(external, "User"), 1, "somebody makes a key of this user")
}

func TestRepository_tags_are_immutable(t *testing.T) {
	for _, stack := range []string{"staging", "prod"} {
		c := load(t, stack)
		all := declare(t, c, false)
		for _, s := range c.Services {
			repository := inputsOf(t, all, "aws:ecr/repository:Repository", s.KubernetesName())
			assert.Equal(t, "nova/"+stack+"/"+s.Name+"-service", repository["name"])
			assert.True(t, strings.HasPrefix(s.Image, c.AWS.Account+".dkr.ecr.ap-northeast-1.amazonaws.com/"+repository["name"].(string)+":"), s.Image)
			assert.Equal(t, "IMMUTABLE", repository["imageTagMutability"])
			assert.Equal(t, map[string]any{"scanOnPush": true}, repository["imageScanningConfiguration"])
			assert.Equal(t, []any{map[string]any{"encryptionType": "AES256"}}, repository["encryptionConfigurations"])
			assert.Equal(t, false, repository["forceDelete"])
			lifecycle := inputsOf(t, all, "aws:ecr/lifecyclePolicy:LifecyclePolicy", s.KubernetesName())
			assert.Equal(t, repository["name"], lifecycle["repository"])
			assert.JSONEq(t, `{"rules":[
				{"rulePriority":1,"description":"untagged images","action":{"type":"expire"},
				 "selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14}},
				{"rulePriority":2,"description":"all but the newest images","action":{"type":"expire"},
				 "selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":100}}]}`, lifecycle["policy"].(string))
		}
	}
}

func TestObjectStorage_disabled_service_keeps_its_buckets_and_images(t *testing.T) {
	all := declare(t, changed(t, "prod", "services", map[string]any{"messaging": map[string]any{"enabled": false}}), false)
	assert.Len(t, ofKind(all, "BucketV2"), 4)
	assert.Len(t, ofKind(all, "Repository"), 11)
	assert.Len(t, ofKind(all, "Role"), 3)
}

func TestProvider_AWS_account_is_fixed_and_no_credentials_are_in_the_state(t *testing.T) {
	provider := unwrap(find(t, declare(t, load(t, "prod"), false), "aws", "aws").inputs)
	assert.Contains(t, provider["allowedAccountIds"], "444455556666")
	assert.Equal(t, "ap-northeast-1", provider["region"])
	for _, key := range []string{"accessKey", "secretKey", "token", "profile"} {
		assert.NotContains(t, provider, key)
	}
}

func TestImports_of_the_AWS_SDK_are_small(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	const sdk = "github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	var found []string
	for _, path := range strings.Fields(string(out)) {
		if rest, ok := strings.CutPrefix(path, sdk); ok && rest != "/internal" {
			found = append(found, rest)
		}
	}
	slices.Sort(found)
	assert.Equal(t, []string{"", "/cloudfront", "/ecr", "/iam", "/s3"}, found, "other packages, such as ec2, cost gigabytes of compiler memory")
}
