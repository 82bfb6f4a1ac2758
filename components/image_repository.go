package components

import (
	"encoding/json"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ImageRepositoryArgs is the repository of a service's image.
type ImageRepositoryArgs struct {
	Service string
	// Resource is the name of its resources, Name that of the repository.
	Resource, Name string
	// KeepImages is how many images are kept, UntaggedDays how long one without
	// a tag is.
	KeepImages, UntaggedDays int
}

// newImageRepository declares the repository of a service's image. A tag names
// the same image forever. The key is the account's own: a repository cannot
// change its key.
func newImageRepository(ctx *pulumi.Context, args ImageRepositoryArgs, protect bool, parent pulumi.Resource) (*ecr.Repository, error) {
	repository, err := ecr.NewRepository(ctx, args.Resource, &ecr.RepositoryArgs{
		Name:                       pulumi.String(args.Name),
		ImageTagMutability:         pulumi.String("IMMUTABLE"),
		ImageScanningConfiguration: &ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
		EncryptionConfigurations: ecr.RepositoryEncryptionConfigurationArray{
			&ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("AES256")},
		},
		ForceDelete: pulumi.Bool(!protect),
	}, append(keepsData(protect), pulumi.Parent(parent))...)
	if err != nil {
		return nil, err
	}
	policy, err := json.Marshal(imageRetention(args))
	if err != nil {
		return nil, err
	}
	_, err = ecr.NewLifecyclePolicy(ctx, args.Resource, &ecr.LifecyclePolicyArgs{
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
func imageRetention(r ImageRepositoryArgs) retention {
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
