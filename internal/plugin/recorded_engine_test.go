package plugin_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// anyResource is a resource of a package whose SDK is too large for a test.
type anyResource struct {
	pulumi.CustomResourceState
	Arn pulumi.StringOutput `pulumi:"arn"`
}

func TestStandIns_cloud_resources_are_recorded(t *testing.T) {
	const policy = "a-secret-policy"
	bucket := "nova-media"
	s := newSession(t, func(ctx *pulumi.Context) error {
		var cloud pulumi.ProviderResourceState
		err := ctx.RegisterResource("pulumi:providers:aws", "cloud", pulumi.Map{"region": pulumi.String("eu-central-1")}, &cloud)
		if err != nil {
			return err
		}
		var media, versions, role anyResource
		with := pulumi.Provider(&cloud)
		if err := ctx.RegisterResource("aws:s3/bucketV2:BucketV2", "media", pulumi.Map{
			"bucket": pulumi.String(bucket), "tags": pulumi.StringMap{"stack": pulumi.String("test")},
		}, &media, with); err != nil {
			return err
		}
		if err := ctx.RegisterResource("aws:s3/bucketVersioningV2:BucketVersioningV2", "media", pulumi.Map{
			"bucket": media.ID(), "versioningConfiguration": pulumi.StringMap{"status": pulumi.String("Enabled")},
		}, &versions, with); err != nil {
			return err
		}
		if err := ctx.RegisterResource("aws:iam/role:Role", "media", pulumi.Map{
			"assumeRolePolicy": pulumi.ToSecret(pulumi.String(policy)),
		}, &role, with); err != nil {
			return err
		}
		ctx.Export("bucket", media.Arn)
		ctx.Export("role", role.Arn)
		return nil
	})
	if counted := s.preview(); counted[apitype.OpCreate] != 5 {
		t.Fatalf("the preview counts %v\n%s", counted, s.text)
	}
	s.up()
	s.hides("the policy", policy)
	if strings.Count(s.text, "recorded only: no AWS account is touched") == 0 {
		t.Errorf("nothing says that AWS is not touched:\n%s", s.text)
	}
	if arn := s.output("bucket"); arn != "arn:aws:s3:::nova-media" {
		t.Errorf("the bucket is %s", arn)
	}
	if counted := s.up(); counted.changes() != 0 {
		t.Errorf("an unchanged program changes %v", counted)
	}
	bucket = "nova-media-2"
	if counted := s.up(); counted[apitype.OpReplace] != 2 {
		t.Errorf("another bucket counts %v, want the bucket and its versioning replaced\n%s", counted, s.text)
	}
}
