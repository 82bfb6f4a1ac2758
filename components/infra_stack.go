package components

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	networkingv1 "k8s.io/api/networking/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
)

// InfraStackArgs are the inputs of an InfraStack. The namespace, and what refers
// to it, is filled in by the InfraStack.
type InfraStackArgs struct {
	Namespace  NamespaceArgs
	Priorities PrioritiesArgs
	Secrets    SecretsArgs
	// Variables are the keys and values of the plain variables.
	Variables map[string]string
	// ObjectStorage is what is declared in an AWS account; nil where object
	// storage is somewhere else.
	ObjectStorage *ObjectStorageArgs
	// Policies are the network policies that belong to no service, by name.
	Policies map[string]networkingv1.NetworkPolicySpec
	// Quota is nil where the stack wants none.
	Quota *QuotaArgs
	// PublicAPI is nil where the API is not published.
	PublicAPI *PublicAPIArgs
	// PullSecrets are names of existing Secrets with registry credentials.
	PullSecrets []string
	// Workloads are the stores with their set-up and backups, what migrates the
	// database, and the exporters, in their order of start; others are left out.
	Workloads []workload.Workload
	// ExternalStores are stores outside of the cluster that get a name inside.
	ExternalStores []ExternalStoreArgs
}

// InfraStack is what all services of a stack share.
type InfraStack struct {
	pulumi.ResourceState

	// Namespace is the name of the namespace, once it exists.
	Namespace pulumi.StringOutput `pulumi:"namespace"`
	// ConfigMap is the name of the ConfigMap with the plain variables.
	ConfigMap pulumi.StringOutput `pulumi:"configMap"`
	// Secret is the name of the Secret that the program writes.
	Secret pulumi.StringOutput `pulumi:"secret"`

	// Pods are what the pods of services have in common.
	Pods Pods
	// Ready is what services wait for: the stores that the stack runs, set up, and
	// the schema of the database where the stack migrates it.
	Ready []pulumi.Resource
	// Storage is what the stack declares in its AWS account; empty where object
	// storage is somewhere else.
	Storage *ObjectStorage
}

// NewInfraStack declares an InfraStack. It needs providers for kubernetes,
// random and tls among its options, and for aws where it has ObjectStorage.
func NewInfraStack(ctx *pulumi.Context, name string, args *InfraStackArgs, opts ...pulumi.ResourceOption) (*InfraStack, error) {
	stack := &InfraStack{Storage: &ObjectStorage{}}
	if err := ctx.RegisterComponentResource("nova:platform:InfraStack", name, stack, append(opts, childrenWereOf(stack))...); err != nil {
		return nil, err
	}
	child := pulumi.Parent(stack)

	namespace, err := NewNamespace(ctx, name, &args.Namespace, child)
	if err != nil {
		return nil, err
	}
	stack.Namespace = namespace.Name
	scope := Scope{Namespace: namespace.Name, Environment: args.Namespace.Environment}

	secretsArgs := args.Secrets
	secretsArgs.Scope = scope
	if args.ObjectStorage != nil {
		if stack.Storage, err = NewObjectStorage(ctx, name, args.ObjectStorage, child); err != nil {
			return nil, err
		}
		if key := stack.Storage.AccessKey; key != nil {
			secretsArgs.Issued = map[string]pulumi.StringOutput{config.AccessKeyID: key.ID, config.SecretAccessKey: key.Secret}
		}
	}
	secrets, err := NewSecrets(ctx, name, &secretsArgs, child)
	if err != nil {
		return nil, err
	}
	stack.Secret = secrets.Name
	configuration, err := NewConfiguration(ctx, name, &ConfigurationArgs{Scope: scope, Variables: args.Variables, PublicKey: secrets.PublicKey}, child)
	if err != nil {
		return nil, err
	}
	stack.ConfigMap = configuration.Name
	if len(args.Policies) > 0 {
		if _, err := NewNetwork(ctx, name, &NetworkArgs{Scope: scope, Policies: args.Policies}, child); err != nil {
			return nil, err
		}
	}
	if args.Quota != nil {
		quota := *args.Quota
		quota.Scope = scope
		if _, err := NewQuota(ctx, name, &quota, child); err != nil {
			return nil, err
		}
	}
	if args.PublicAPI != nil {
		public := *args.PublicAPI
		public.Scope = scope
		if _, err := NewPublicAPI(ctx, name, &public, child); err != nil {
			return nil, err
		}
	}
	priorities, err := NewPriorities(ctx, name, &args.Priorities, child)
	if err != nil {
		return nil, err
	}
	stack.Pods = Pods{
		Values: Values{
			ConfigMap: configuration.Name, Variables: configuration.Variables,
			Secrets: secrets.Keys, Previous: secrets.Previous, HashKey: secrets.HashKey,
		},
		PriorityClass: priorities.Services,
		PullSecrets:   args.PullSecrets,
	}
	if err := stack.newStores(ctx, scope, priorities, args, child); err != nil {
		return nil, err
	}
	if err := stack.newMigrations(ctx, scope, args, child); err != nil {
		return nil, err
	}
	return stack, ctx.RegisterResourceOutputs(stack, pulumi.Map{
		"namespace": stack.Namespace,
		"configMap": stack.ConfigMap,
		"secret":    stack.Secret,
	})
}

// newStores declares the stores that the stack runs with their backups, names for
// those that it does not run, and the exporters.
func (s *InfraStack) newStores(ctx *pulumi.Context, scope Scope, priorities *Priorities, args *InfraStackArgs, opts ...pulumi.ResourceOption) error {
	pods := s.Pods
	pods.PriorityClass = priorities.Stores
	for _, w := range workload.Of(args.Workloads, workload.Store) {
		storeArgs := &StoreArgs{
			Scope: scope, Pods: pods, SetupClass: priorities.Services, Workload: w, RetainData: args.Namespace.Protect,
		}
		storeArgs.Setup = setupOf(args.Workloads, w.Store)
		store, err := NewStore(ctx, w.Name, storeArgs, opts...)
		if err != nil {
			return err
		}
		s.Ready = append(s.Ready, store.Ready...)
	}
	for _, external := range args.ExternalStores {
		external.Scope, external.Pods = scope, s.Pods
		external.Setup = setupOf(args.Workloads, external.Store)
		store, err := NewExternalStore(ctx, external.Name, &external, opts...)
		if err != nil {
			return err
		}
		s.Ready = append(s.Ready, store.Ready...)
	}
	if backups := workload.Of(args.Workloads, workload.Backup); len(backups) > 0 {
		backupsArgs := &BackupsArgs{Scope: scope, Pods: s.Pods, Workloads: backups}
		if role, ok := s.Storage.Roles[workload.BackupAccount]; ok {
			backupsArgs.Role = role
		}
		if _, err := NewBackups(ctx, workload.BackupAccount, backupsArgs, opts...); err != nil {
			return err
		}
	}
	for _, w := range workload.Of(args.Workloads, workload.Exporter) {
		if _, err := NewExporter(ctx, w.Name, &ExporterArgs{Scope: scope, Pods: s.Pods, Workload: w}, opts...); err != nil {
			return err
		}
	}
	return nil
}

// newMigrations declares what migrates the database, where the stack has an image
// for it.
func (s *InfraStack) newMigrations(ctx *pulumi.Context, scope Scope, args *InfraStackArgs, opts ...pulumi.ResourceOption) error {
	w, found := workload.Find(args.Workloads, workload.Migrations)
	if !found || w.Image == "" {
		return nil
	}
	migrations, err := NewMigrations(ctx, w.Name, &MigrationsArgs{Scope: scope, Pods: s.Pods, Workload: w}, opts...)
	if err != nil {
		return err
	}
	s.Ready = append(s.Ready, migrations.Ready...)
	return nil
}

// setupOf is the Job that sets a store up; nil where there is none.
func setupOf(all []workload.Workload, store catalog.StoreKind) *workload.Workload {
	for _, setup := range workload.Of(all, workload.Setup) {
		if setup.Store == store {
			return &setup
		}
	}
	return nil
}

// childrenWereOf gives every resource below a component an alias with that
// component as its parent: before the component had children of its own, all of
// its resources were its own. A component's alias does not do: several children
// would have the same, and the engine would rename what is named after them.
func childrenWereOf(component pulumi.Resource) pulumi.ResourceOption {
	return pulumi.Transformations([]pulumi.ResourceTransformation{
		func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			if strings.HasPrefix(args.Type, "nova:platform:") {
				return nil
			}
			return &pulumi.ResourceTransformationResult{
				Props: args.Props, Opts: append(args.Opts, pulumi.Aliases([]pulumi.Alias{{Parent: component}})),
			}
		},
	})
}
