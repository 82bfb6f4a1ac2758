package components

import (
	"encoding/json"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// newImageRepository declares the repository of a service's image. A tag names
// the same image forever. The key is the account's own: a repository cannot
// change its key.
func newImageRepository(ctx *pulumi.Context, c *stack.Stack, s catalog.Service, parent pulumi.Resource) (*ecr.Repository, error) {
	repository, err := ecr.NewRepository(ctx, s.KubernetesName(), &ecr.RepositoryArgs{
		Name:                       pulumi.String(c.RepositoryPrefix() + "/" + s.ImageName()),
		ImageTagMutability:         pulumi.String("IMMUTABLE"),
		ImageScanningConfiguration: &ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
		EncryptionConfigurations: ecr.RepositoryEncryptionConfigurationArray{
			&ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("AES256")},
		},
		ForceDelete: pulumi.Bool(!c.DeletionProtection),
	}, append(keepsData(c), pulumi.Parent(parent))...)
	if err != nil {
		return nil, err
	}
	policy, err := json.Marshal(imageRetention(c.AWS.Repositories))
	if err != nil {
		return nil, err
	}
	_, err = ecr.NewLifecyclePolicy(ctx, s.KubernetesName(), &ecr.LifecyclePolicyArgs{
		Repository: repository.Name,
		Policy:     pulumi.String(policy),
	}, pulumi.Parent(parent))
	return repository, err
}

// retention is a lifecycle policy as ECR reads it.
type retention struct {
	Rules []retentionRule `json:"rules"`
}

type retentionRule struct {
	// Priority orders the rules; the lowest number wins.
	Priority    int                `json:"rulePriority"`
	Description string             `json:"description"`
	Selection   retentionSelection `json:"selection"`
	Action      retentionAction    `json:"action"`
}

type retentionSelection struct {
	TagStatus   string `json:"tagStatus"`
	CountType   string `json:"countType"`
	CountUnit   string `json:"countUnit,omitempty"`
	CountNumber int    `json:"countNumber"`
}

type retentionAction struct {
	Type string `json:"type"`
}

// imageRetention removes images that lost their tag, then the oldest. The rule
// for any image must come last.
func imageRetention(r config.Repositories) retention {
	expire := retentionAction{Type: "expire"}
	return retention{Rules: []retentionRule{
		{
			Priority: 1, Description: "untagged images", Action: expire,
			Selection: retentionSelection{TagStatus: "untagged", CountType: "sinceImagePushed", CountUnit: "days", CountNumber: r.UntaggedDays},
		},
		{
			Priority: 2, Description: "all but the newest images", Action: expire,
			Selection: retentionSelection{TagStatus: "any", CountType: "imageCountMoreThan", CountNumber: r.KeepImages},
		},
	}}
}
