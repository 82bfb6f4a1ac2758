package program

import (
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/iampolicy"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
)

// infraArgs are the inputs of the InfraStack of a stack.
func infraArgs(s *stack.Stack, workloads []workload.Workload) components.InfraStackArgs {
	return components.InfraStackArgs{
		Namespace: components.NamespaceArgs{Name: s.Namespace, Environment: s.Environment, Stack: s.Stack, Protect: s.DeletionProtection},
		Priorities: components.PrioritiesArgs{
			Namespace: s.Namespace, Environment: s.Environment, Services: s.Priority.Services, Stores: s.Priority.Stores,
		},
		Secrets:        secretsArgs(s),
		Variables:      s.VariableValues(),
		ObjectStorage:  objectStorageArgs(s),
		Policies:       sharedPolicies(s, workloads),
		Quota:          quotaArgs(s, workloads),
		PublicAPI:      publicAPIArgs(s),
		PullSecrets:    s.Images.PullSecrets,
		Workloads:      workloads,
		ExternalStores: externalStores(s),
	}
}

func secretsArgs(s *stack.Stack) components.SecretsArgs {
	args := components.SecretsArgs{
		URLs: s.CatalogEnvironment().ConnectionURLs(), External: s.SecretSources.External, Protect: s.DeletionProtection,
	}
	for _, secret := range catalog.Secrets() {
		one := components.SecretArgs{
			Secret: secret, Source: s.Source(secret), Rotations: s.SecretSources.Rotation[secret.Key],
			ExternalKey: s.ExternalKey(secret.Key), Whole: s.SecretSources.Keys[secret.Key] == string(config.SourceExternal),
		}
		if value, supplied := s.Secrets[secret.Key]; supplied {
			one.Value = &value
		}
		args.Secrets = append(args.Secrets, one)
	}
	return args
}

func objectStorageArgs(s *stack.Stack) *components.ObjectStorageArgs {
	if s.Storage.Mode != config.StorageAWS {
		return nil
	}
	args := &components.ObjectStorageArgs{
		Protect: s.DeletionProtection, Readers: s.AWS.CDN.Distributions, User: storageUserArgs(s),
	}
	if s.AWS.CDN.Create {
		args.CDN = &components.DistributionArgs{
			Resource: "cdn", Name: "nova-" + s.Stack, Host: s.CDNHost(), Certificate: s.AWS.CDN.Certificate,
		}
	}
	names := s.BucketNames()
	for _, bucket := range s.Buckets() {
		one := components.BucketArgs{
			Resource: string(bucket), Name: names[bucket], KMSKey: s.Storage.KMSKey,
			NoncurrentDays: s.Storage.NoncurrentDays, AbortMultipartDays: s.Storage.AbortMultipartDays,
			ExpireDays: s.Storage.ExpireDays[string(bucket)], PublicKeys: bucket.PublicKeys(),
		}
		if bucket.Signed() {
			one.Origins, one.Methods = s.BrowserOrigins(), browserMethods(catalog.BucketActions(s.CatalogServices(), bucket))
		}
		args.Buckets = append(args.Buckets, one)
	}
	for _, service := range s.Services {
		if len(service.Buckets) > 0 {
			args.Roles = append(args.Roles, roleArgs(s, service))
		}
	}
	if s.BacksUpPostgres() {
		args.Roles = append(args.Roles, backupRoleArgs(s))
	}
	if s.CreatesRepositories() {
		for _, service := range catalog.Services() {
			args.Repositories = append(args.Repositories, components.ImageRepositoryArgs{
				Service: service.Name, Resource: service.KubernetesName(), Name: s.RepositoryPrefix() + "/" + service.ImageName(),
				KeepImages: s.AWS.Repositories.KeepImages, UntaggedDays: s.AWS.Repositories.UntaggedDays,
			})
		}
	}
	return args
}

func roleArgs(s *stack.Stack, service stack.Service) components.ServiceRoleArgs {
	args := components.ServiceRoleArgs{
		Service: service.Name, Resource: service.KubernetesName(), Name: s.RoleName(service.Name),
		Description: "Pods of " + service.KubernetesName() + " in stack " + s.Stack,
		Account: iampolicy.ServiceAccount{
			AWSAccount: s.AWS.Account, Issuer: s.AWS.IssuerHost(), Namespace: s.Namespace, Name: service.KubernetesName(),
		},
		KMSKey: s.Storage.KMSKey,
	}
	args.Grants = grants(s, service)
	return args
}

// grants are what a service does to the objects of buckets.
func grants(s *stack.Stack, service stack.Service) []iampolicy.Grant {
	var all []iampolicy.Grant
	names := s.BucketNames()
	for _, use := range service.Buckets {
		all = append(all, iampolicy.Grant{Bucket: names[use.Bucket], Actions: use.Actions})
	}
	return all
}

func storageUserArgs(s *stack.Stack) *components.StorageUserArgs {
	services := s.WithStaticKeys()
	if len(services) == 0 {
		return nil
	}
	args := &components.StorageUserArgs{
		Resource: "object-storage", Name: s.UserName(), KMSKey: s.Storage.KMSKey,
		MakesKeys: s.MakesAccessKeys(), Rotations: s.SecretSources.Rotation[config.AccessKeyID],
	}
	for _, service := range services {
		args.Grants = append(args.Grants, grants(s, service)...)
	}
	return args
}

// backupRoleArgs is the role of what carries backups of PostgreSQL: it writes,
// lists, reads and removes them.
func backupRoleArgs(s *stack.Stack) components.ServiceRoleArgs {
	return components.ServiceRoleArgs{
		Service: workload.BackupAccount, Resource: workload.BackupAccount, Name: s.RoleName(workload.BackupAccount),
		Description: "Backups of PostgreSQL in stack " + s.Stack,
		Account: iampolicy.ServiceAccount{
			AWSAccount: s.AWS.Account, Issuer: s.AWS.IssuerHost(), Namespace: s.Namespace, Name: workload.BackupAccount,
		},
		KMSKey: s.Storage.KMSKey,
		Grants: []iampolicy.Grant{{
			Bucket: s.BucketNames()[catalog.BucketBackups], Actions: []string{"s3:DeleteObject", "s3:GetObject", "s3:PutObject"}, List: true,
		}},
	}
}

// sharedPolicies are the network policies that belong to no service.
func sharedPolicies(s *stack.Stack, workloads []workload.Workload) map[string]networkingv1.NetworkPolicySpec {
	policies := workload.Policies(s, workloads)
	for _, service := range workload.Of(workloads, workload.Service) {
		delete(policies, service.Name)
	}
	return policies
}

func quotaArgs(s *stack.Stack, workloads []workload.Workload) *components.QuotaArgs {
	if !s.Quota.Enabled {
		return nil
	}
	return &components.QuotaArgs{Hard: workload.Quota(s, workloads), Default: s.Resources.Default}
}

func publicAPIArgs(s *stack.Stack) *components.PublicAPIArgs {
	if s.Ingress.Kind == config.IngressNone {
		return nil
	}
	args := &components.PublicAPIArgs{Ingress: s.Ingress}
	for _, service := range s.Services {
		if len(service.PublicPaths) > 0 {
			args.Services = append(args.Services, components.PublicService{
				Name: service.KubernetesName(), Port: service.HTTPPort, Routes: service.PublicRoutes(),
			})
		}
	}
	return args
}

// externalStores are the stores outside of the cluster that have one address.
// Several brokers have none, and neither have buckets in AWS.
func externalStores(s *stack.Stack) []components.ExternalStoreArgs {
	var all []components.ExternalStoreArgs
	for _, store := range s.Stores {
		if host := store.Spec.Host; !store.InCluster && host != "" && !strings.Contains(host, ",") {
			all = append(all, components.ExternalStoreArgs{Store: store.Kind, Name: store.Name, Host: host, Port: store.Spec.Port})
		}
	}
	return all
}

// browserMethods are the HTTP methods of signed URLs for actions on objects.
func browserMethods(actions []string) []string {
	var methods []string
	if slices.Contains(actions, "s3:GetObject") {
		methods = append(methods, "GET")
	}
	if slices.Contains(actions, "s3:PutObject") {
		methods = append(methods, "PUT")
	}
	return methods
}
