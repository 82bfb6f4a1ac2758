package provider_test

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

func TestCloudResourcesAreRecordedThroughTheRealEngine(t *testing.T) {
	s, p := newSession(t, program{})
	bucket := "nova-media"
	p.more = func(ctx *pulumi.Context, in pulumi.ResourceOption) error {
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
			"assumeRolePolicy": pulumi.ToSecret(pulumi.String(p.secret)),
		}, &role, with); err != nil {
			return err
		}
		ctx.Export("bucket", media.Arn)
		ctx.Export("role", role.Arn)
		return nil
	}
	counted, err := s.preview(p)
	if err != nil || counted[apitype.OpCreate] != 11 {
		t.Fatalf("the preview counts %v (%v)\n%s", counted, err, s.text)
	}
	s.mustUp(p)
	if strings.Count(s.text, "recorded only: no AWS account is touched") == 0 {
		t.Errorf("nothing says that AWS is not touched:\n%s", s.text)
	}
	outputs, err := s.stack.Outputs(t.Context())
	if err != nil || outputs["bucket"].Value != "arn:aws:s3:::nova-media" {
		t.Errorf("outputs are %v (%v)", outputs, err)
	}
	if counted := s.mustUp(p); counted.changes() != 0 {
		t.Errorf("an unchanged program changes %v", counted)
	}
	bucket = "nova-media-2"
	if counted := s.mustUp(p); counted[apitype.OpReplace] != 2 {
		t.Errorf("another bucket counts %v, want the bucket and its versioning replaced\n%s", counted, s.text)
	}
}
