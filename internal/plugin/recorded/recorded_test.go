package recorded_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"nova.dev/infra/internal/plugin/recorded"
)

func urnOf(token, name string) resource.URN {
	return resource.NewURN("test", "test", "", tokens.Type(token), name)
}

func aws(t *testing.T, config map[string]any) *recorded.Provider {
	t.Helper()
	p := recorded.NewAWS(nil)
	if _, err := p.Configure(t.Context(), plugin.ConfigureRequest{Inputs: resource.NewPropertyMapFromMap(config)}); err != nil {
		t.Fatal(err)
	}
	return p
}

func create(t *testing.T, p *recorded.Provider, token string, in resource.PropertyMap) plugin.CreateResponse {
	t.Helper()
	urn := urnOf(token, "media")
	checked, err := p.Check(t.Context(), plugin.CheckRequest{URN: urn, Type: urn.Type(), News: in, RandomSeed: []byte("seed")})
	if err != nil || len(checked.Failures) > 0 {
		t.Fatal(err, checked.Failures)
	}
	created, err := p.Create(t.Context(), plugin.CreateRequest{URN: urn, Type: urn.Type(), Properties: checked.Properties})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func TestResources_get_the_outputs_that_the_cloud_gives(t *testing.T) {
	p := aws(t, map[string]any{"region": "eu-central-1", "allowedAccountIds": []any{"111122223333"}})
	for _, tc := range []struct {
		token string
		in    map[string]any
		id    string
		want  map[resource.PropertyKey]string
	}{
		{"aws:s3/bucketV2:BucketV2", map[string]any{"bucket": "nova-media"}, "nova-media", map[resource.PropertyKey]string{
			"arn": "arn:aws:s3:::nova-media", "bucketDomainName": "nova-media.s3.amazonaws.com",
			"bucketRegionalDomainName": "nova-media.s3.eu-central-1.amazonaws.com", "region": "eu-central-1", "id": "nova-media",
		}},
		{"aws:s3/bucketVersioningV2:BucketVersioningV2", map[string]any{"bucket": "nova-media"}, "nova-media", nil},
		{"aws:ecr/repository:Repository", map[string]any{"name": "nova/auth"}, "nova/auth", map[resource.PropertyKey]string{
			"arn":           "arn:aws:ecr:eu-central-1:111122223333:repository/nova/auth",
			"repositoryUrl": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/nova/auth",
		}},
		{"aws:iam/role:Role", map[string]any{"name": "media", "path": "/nova/"}, "media", map[resource.PropertyKey]string{
			"arn": "arn:aws:iam::111122223333:role/nova/media",
		}},
		{"aws:iam/policy:Policy", map[string]any{"name": "media"}, "arn:aws:iam::111122223333:policy/media", map[resource.PropertyKey]string{
			"arn": "arn:aws:iam::111122223333:policy/media",
		}},
		{"aws:iam/rolePolicy:RolePolicy", map[string]any{"name": "buckets", "role": "media"}, "media:buckets", nil},
		{"aws:iam/openIdConnectProvider:OpenIdConnectProvider", map[string]any{"url": "https://token.example"},
			"arn:aws:iam::111122223333:oidc-provider/token.example", nil},
	} {
		t.Run(tc.token, func(t *testing.T) {
			created := create(t, p, tc.token, resource.NewPropertyMapFromMap(tc.in))
			if string(created.ID) != tc.id {
				t.Errorf("id is %s, want %s", created.ID, tc.id)
			}
			for name, want := range tc.want {
				if got := created.Properties[name]; !got.IsString() || got.StringValue() != want {
					t.Errorf("%s is %v, want %s", name, got, want)
				}
			}
		})
	}
}

func TestResources_of_other_kinds_are_recorded_the_same_each_time(t *testing.T) {
	in := resource.PropertyMap{
		"size":     resource.NewNumberProperty(3),
		"password": resource.MakeSecret(resource.NewStringProperty("sesame")),
	}
	one := create(t, aws(t, nil), "aws:rds/instance:Instance", in)
	two := create(t, aws(t, nil), "aws:rds/instance:Instance", in)
	if one.ID == "" || one.ID != two.ID || !one.Properties["password"].IsSecret() || one.Properties["size"].NumberValue() != 3 {
		t.Errorf("%v and %v", one, two)
	}
}

func TestBucket_without_name_gets_one_and_keeps_it(t *testing.T) {
	p := aws(t, nil)
	created := create(t, p, "aws:s3/bucketV2:BucketV2", resource.PropertyMap{})
	if len(created.ID) != len("media-")+7 {
		t.Errorf("id is %s", created.ID)
	}
	urn := urnOf("aws:s3/bucketV2:BucketV2", "media")
	again, err := p.Check(t.Context(), plugin.CheckRequest{
		URN: urn, Type: urn.Type(), News: resource.PropertyMap{}, Olds: resource.PropertyMap{"bucket": created.Properties["bucket"]},
	})
	if err != nil || again.Properties["bucket"] != created.Properties["bucket"] {
		t.Errorf("the name became %v (%v)", again.Properties["bucket"], err)
	}
}

func TestDiff_another_name_replaces_the_resource(t *testing.T) {
	for _, tc := range []struct {
		name          string
		before, after map[string]any
		changes       plugin.DiffChanges
		replace       bool
	}{
		{"nothing", map[string]any{"bucket": "a"}, map[string]any{"bucket": "a"}, plugin.DiffNone, false},
		{"a tag", map[string]any{"bucket": "a"}, map[string]any{"bucket": "a", "tags": map[string]any{"x": "y"}}, plugin.DiffSome, false},
		{"the name", map[string]any{"bucket": "a"}, map[string]any{"bucket": "b"}, plugin.DiffSome, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			urn := urnOf("aws:s3/bucketV2:BucketV2", "media")
			diff, err := aws(t, nil).Diff(t.Context(), plugin.DiffRequest{
				URN: urn, Type: urn.Type(), ID: "a",
				OldInputs: resource.NewPropertyMapFromMap(tc.before), NewInputs: resource.NewPropertyMapFromMap(tc.after),
			})
			if err != nil || diff.Changes != tc.changes || diff.Replace() != tc.replace {
				t.Errorf("diff %+v, error %v", diff, err)
			}
		})
	}
}

func TestDiff_immutable_properties_replace_the_resource(t *testing.T) {
	for _, tc := range []struct {
		token         string
		before, after map[string]any
		replace       bool
	}{
		{"aws:ecr/repository:Repository",
			map[string]any{"encryptionConfigurations": []any{map[string]any{"encryptionType": "AES256"}}},
			map[string]any{"encryptionConfigurations": []any{map[string]any{"encryptionType": "KMS"}}}, true},
		{"aws:ecr/repository:Repository",
			map[string]any{"imageTagMutability": "MUTABLE"}, map[string]any{"imageTagMutability": "IMMUTABLE"}, false},
		{"aws:ecr/lifecyclePolicy:LifecyclePolicy", map[string]any{"policy": "a"}, map[string]any{"policy": "b"}, true},
		{"aws:iam/role:Role", map[string]any{"assumeRolePolicy": "a"}, map[string]any{"assumeRolePolicy": "b"}, false},
		{"aws:iam/rolePolicy:RolePolicy", map[string]any{"policy": "a"}, map[string]any{"policy": "b"}, false},
		{"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
			map[string]any{"bucket": "a", "rules": []any{map[string]any{"id": "x"}}},
			map[string]any{"bucket": "a", "rules": []any{map[string]any{"id": "y"}}}, false},
	} {
		t.Run(tc.token, func(t *testing.T) {
			urn := urnOf(tc.token, "media")
			diff, err := aws(t, nil).Diff(t.Context(), plugin.DiffRequest{
				URN: urn, Type: urn.Type(), ID: "a",
				OldInputs: resource.NewPropertyMapFromMap(tc.before), NewInputs: resource.NewPropertyMapFromMap(tc.after),
			})
			if err != nil || diff.Changes != plugin.DiffSome || diff.Replace() != tc.replace {
				t.Errorf("diff %+v, error %v", diff, err)
			}
		})
	}
}

func TestDiff_another_region_replaces_the_provider(t *testing.T) {
	before := map[string]any{"region": "eu-west-1", "allowedAccountIds": `["111122223333"]`}
	for key, replace := range map[string]bool{"region": true, "allowedAccountIds": false} {
		after := resource.NewPropertyMapFromMap(before)
		after[resource.PropertyKey(key)] = resource.NewStringProperty("other")
		diff, err := aws(t, nil).DiffConfig(t.Context(), plugin.DiffConfigRequest{
			OldInputs: resource.NewPropertyMapFromMap(before), NewInputs: after,
		})
		if err != nil || diff.Changes != plugin.DiffSome || diff.Replace() != replace {
			t.Errorf("%s: diff %+v, error %v", key, diff, err)
		}
	}
}

func TestPreview_unknown_inputs_give_unknown_outputs(t *testing.T) {
	unknown := resource.MakeComputed(resource.NewStringProperty(""))
	urn := urnOf("aws:s3/bucketVersioningV2:BucketVersioningV2", "media")
	created, err := aws(t, nil).Create(t.Context(), plugin.CreateRequest{
		URN: urn, Type: urn.Type(), Properties: resource.PropertyMap{"bucket": unknown}, Preview: true,
	})
	if err != nil || created.ID != "" || created.Properties.HasValue("arn") || created.Properties.HasValue("id") {
		t.Errorf("%v, %v", created, err)
	}
}

func TestImage_has_a_digest_of_its_name(t *testing.T) {
	p := recorded.NewDocker(nil)
	in := func(name string) resource.PropertyMap {
		return resource.NewPropertyMapFromMap(map[string]any{"imageName": name, "build": map[string]any{"context": "."}})
	}
	for name, want := range map[string][2]string{
		"registry.example:5000/nova/auth:v1": {"registry.example:5000/nova/auth@sha256:", "registry.example:5000"},
		"nova-auth-service":                  {"nova-auth-service@sha256:", "docker.io"},
	} {
		state := create(t, p, "docker:index/image:Image", in(name)).Properties
		digest := state["repoDigest"].StringValue()
		if digest[:min(len(digest), len(want[0]))] != want[0] || len(digest) != len(want[0])+64 || state["registryServer"].StringValue() != want[1] {
			t.Errorf("%s: digest %s, registry %v", name, digest, state["registryServer"])
		}
	}
	one, two := create(t, p, "docker:index/image:Image", in("a")), create(t, p, "docker:index/image:Image", in("b"))
	if one.ID == two.ID {
		t.Error("two images have the same id")
	}
}

func TestFunctions_need_no_account(t *testing.T) {
	p := aws(t, map[string]any{"region": "eu-west-1"})
	answer, err := p.Invoke(t.Context(), plugin.InvokeRequest{Tok: "aws:index/getRegion:getRegion"})
	if err != nil || answer.Properties["name"].StringValue() != "eu-west-1" {
		t.Errorf("%v, %v", answer, err)
	}
	if _, err := p.Invoke(t.Context(), plugin.InvokeRequest{Tok: "aws:ec2/getVpc:getVpc"}); err == nil {
		t.Error("a function that needs an account was answered")
	}
}
