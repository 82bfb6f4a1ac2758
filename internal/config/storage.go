package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"nova.dev/infra/catalog"
)

// StorageAWS is the mode in which buckets are declared in an AWS account.
const StorageAWS = "aws"

// Storage is object storage.
type Storage struct {
	Mode     string            `config:"mode" doc:"aws: buckets, roles and image repositories are declared in an AWS account. inCluster: the stack runs an S3-compatible store. external: an existing one, at endpoint. The default is inCluster in development, external where endpoint is set, otherwise aws. Leaving aws is refused where nova:deletionProtection is set: the buckets and repositories would go."`
	Region   string            `config:"region" doc:"Region of the buckets. Another region means other buckets and repositories: refused where nova:deletionProtection is set."`
	Endpoint string            `config:"endpoint" doc:"host:port of an external S3-compatible store."`
	TLS      bool              `config:"tls" doc:"Use TLS for an external store."`
	CIDRs    []string          `config:"cidrs" doc:"Networks of object storage, for the egress policies; empty means any address, in mode aws any public one, on its port only."`
	Buckets  map[string]string `config:"buckets" doc:"Names of the buckets media, uploads, audio, cdn and backups; the default is nova-<bucket>-<stack>. Another name is another bucket: refused where nova:deletionProtection is set."`

	NoncurrentDays     int            `config:"noncurrentDays" doc:"Days for which an overwritten or deleted object can be restored; 1 to 3650, and at least 7 where nova:deletionProtection is set."`
	AbortMultipartDays int            `config:"abortMultipartDays" doc:"Days after which an unfinished upload is removed; 1 to 30."`
	ExpireDays         map[string]int `config:"expireDays" doc:"Days after which objects of a bucket expire, by bucket; none expire by default. 1 to 3650, and at least 30 where nova:deletionProtection is set."`
	KMSKey             string         `config:"kmsKey" doc:"ARN of the KMS key that encrypts the buckets; empty means keys managed by S3."`

	Image        string    `config:"image" doc:"Image of the store in the cluster, with a tag or digest."`
	Size         string    `config:"size" doc:"Size of the store's volume in the cluster."`
	StorageClass string    `config:"storageClass" doc:"Storage class of the volume; empty means the cluster's default."`
	Resources    Resources `config:"resources" doc:"Requests and limits of the store in the cluster."`
}

// AWS is the account of a stack whose storage is aws.
type AWS struct {
	Account      string       `config:"account" doc:"Account, 12 digits. The provider refuses any other."`
	OIDCIssuer   string       `config:"oidcIssuer" doc:"OIDC issuer of the cluster, which the roles of service accounts trust: https:// and a host and path."`
	CIDRs        []string     `config:"cidrs" doc:"Networks of the account's VPC endpoints (interface endpoints of S3 and STS), to which the services that use object storage may connect on port 443. With storage.cidrs they must hold those of STS, which is otherwise reached at any public address."`
	CDN          CDN          `config:"cdn" doc:"Who reads the public objects of the buckets: CloudFront. A guarded stack needs create or distributions."`
	Repositories Repositories `config:"repositories" doc:"Image repositories (ECR)."`
}

// CDN is the reading of public objects.
type CDN struct {
	Create        bool     `config:"create" doc:"Declare a CloudFront distribution for the host of CDN_DOMAIN, with origin access control for the buckets media, uploads and cdn. Removing it is refused where nova:deletionProtection is set: the URLs that services have handed out go through it."`
	Certificate   string   `config:"certificate" doc:"ARN of the certificate of that host, in ACM of us-east-1, where CloudFront looks for it."`
	Distributions []string `config:"distributions" doc:"ARNs of existing distributions that may read the same buckets."`
}

// Repositories are the image repositories of a stack.
type Repositories struct {
	Create       bool   `config:"create" doc:"Declare a repository for each service's image. Removing them is refused where nova:deletionProtection is set."`
	Prefix       string `config:"prefix" doc:"Path before /<name>-service; the default is nova/<stack>. Another path means other repositories: refused where nova:deletionProtection is set."`
	KeepImages   int    `config:"keepImages" doc:"Images kept in each repository; 10 to 1000."`
	UntaggedDays int    `config:"untaggedDays" doc:"Days after which an untagged image is removed; 1 to 365."`
}

func defaultStorage() Storage {
	return Storage{
		Region: "us-east-1", NoncurrentDays: 30, AbortMultipartDays: 7,
		Image: catalog.FindStore(catalog.ObjectStorage).Image, Size: "20Gi",
		Resources: Resources{Requests: Quantities{"100m", "256Mi", "64Mi"}, Limits: Quantities{"1", "1Gi", "1Gi"}},
	}
}

// RepositoryPrefix is the path of the stack's image repositories.
func (c *Config) RepositoryPrefix() string {
	if c.AWS.Repositories.Prefix != "" {
		return c.AWS.Repositories.Prefix
	}
	return "nova/" + c.Stack
}

// CreatesRepositories reports whether the stack declares image repositories.
func (c *Config) CreatesRepositories() bool {
	return c.Storage.Mode == StorageAWS && c.AWS.Repositories.Create
}

// RoleName is the name of the role of a service's pods.
func (c *Config) RoleName(service string) string {
	return fmt.Sprintf("nova-%s-%s", c.Stack, service)
}

// IssuerHost is the OIDC issuer without its scheme, as trust policies name it.
func (a AWS) IssuerHost() string { return strings.TrimPrefix(a.OIDCIssuer, "https://") }

// store are the fields that object storage has in common with the other stores.
func (s Storage) store() Store {
	host, port, _ := strings.Cut(s.Endpoint, ":")
	number, _ := strconv.Atoi(port)
	if s.Mode == StorageAWS {
		host, number = "", httpsPort
	}
	return Store{
		Mode: s.Mode, Host: host, Port: number, TLS: s.TLS, CIDRs: s.CIDRs,
		Image: s.Image, Storage: s.Size, StorageClass: s.StorageClass, Resources: s.Resources,
	}
}

const httpsPort = 443

// allBuckets are the buckets that can be named, in a fixed order.
func allBuckets() []catalog.Bucket { return append(catalog.Buckets(), catalog.BucketBackups) }

// BucketNames are the names of the buckets in the stack.
func (c *Config) BucketNames() map[catalog.Bucket]string {
	names := map[catalog.Bucket]string{}
	for _, bucket := range allBuckets() {
		names[bucket] = fmt.Sprintf("nova-%s-%s", bucket, c.Stack)
		if own := c.Storage.Buckets[string(bucket)]; own != "" {
			names[bucket] = own
		}
	}
	return names
}

func (c *Config) checkStorage(found *mistakes) {
	s := c.Storage
	oneOf(found, at("nova:storage.mode"), s.Mode, InCluster, External, StorageAWS)
	if !validRegion.MatchString(s.Region) {
		found.invalid(at("nova:storage.region"), s.Region, "is not a region; expected a form such as us-east-1")
	}
	switch {
	case s.Mode == External && s.Endpoint == "":
		found.required(at("nova:storage.endpoint"), "must be set when mode is external (stack %s)", c.Stack)
	case s.Mode != External && s.Endpoint != "":
		found.invalid(at("nova:storage.endpoint"), s.Endpoint, "is for mode external, but the mode is %s", s.Mode)
	case s.Endpoint != "":
		name, port, err := net.SplitHostPort(s.Endpoint)
		number, numErr := strconv.Atoi(port)
		if err != nil || numErr != nil || number < 1 || number > 65535 || !isHost(name) {
			found.invalid(at("nova:storage.endpoint"), s.Endpoint, "is not host:port")
		}
	}
	checkCIDRs(found, at("nova:storage.cidrs"), s.CIDRs)
	c.checkBuckets(found)
	if s.Mode == InCluster {
		if c.Environment == Production && !c.Dependencies.AcknowledgeInCluster {
			found.invalid(at("nova:storage.mode"), s.Mode, "is refused in production: one copy of the data, no backup; use aws or external, or accept it with nova:dependencies.acknowledgeInCluster")
		}
		checkInCluster(found, at("nova:storage"), s.store())
	}
	if s.Mode == StorageAWS {
		c.checkAWS(found)
	}
}

// The least retention where deletion protection is on: a deleted object can be
// restored for a week, and objects do not expire within days.
const (
	minProtectedNoncurrentDays = 7
	minProtectedExpireDays     = 30
	maxRetentionDays           = 3650
)

func (c *Config) checkBuckets(found *mistakes) {
	owner := map[string]catalog.Bucket{}
	buckets := c.BucketNames()
	for _, bucket := range allBuckets() {
		name := buckets[bucket]
		key := at("nova:storage.buckets").Child(string(bucket))
		if !validBucket.MatchString(name) {
			found.invalid(key, name, "is not a bucket name; allowed: 3 to 63 lower-case letters, digits, . and -")
		}
		if other, taken := owner[name]; taken {
			found.duplicate(key, name, "is already the bucket of %s", other)
		}
		owner[name] = bucket
	}
	noncurrent, expire := 1, 1
	if c.DeletionProtection {
		noncurrent, expire = minProtectedNoncurrentDays, minProtectedExpireDays
	}
	between(found, at("nova:storage.noncurrentDays"), c.Storage.NoncurrentDays, noncurrent, maxRetentionDays)
	between(found, at("nova:storage.abortMultipartDays"), c.Storage.AbortMultipartDays, 1, 30)
	for bucket, days := range c.Storage.ExpireDays {
		between(found, at("nova:storage.expireDays").Child(bucket), days, expire, maxRetentionDays)
	}
}

// ARNs of what CloudFront needs: it finds certificates only in us-east-1.
var (
	validCertificate  = regexp.MustCompile(`^arn:aws:acm:us-east-1:[0-9]{12}:certificate/[A-Za-z0-9-]+$`)
	validDistribution = regexp.MustCompile(`^arn:aws:cloudfront::[0-9]{12}:distribution/[A-Z0-9]+$`)
)

func (c *Config) checkCDN(found *mistakes) {
	cdn, key := c.AWS.CDN, at("nova:aws.cdn")
	switch {
	case cdn.Create && cdn.Certificate == "":
		found.required(key.Child("certificate"), "must be set with create: the ARN of a certificate in us-east-1 for the host of CDN_DOMAIN")
	case cdn.Certificate != "" && !validCertificate.MatchString(cdn.Certificate):
		found.invalid(key.Child("certificate"), cdn.Certificate, "is not the ARN of a certificate in us-east-1; expected a form such as arn:aws:acm:us-east-1:111122223333:certificate/0123")
	}
	for i, arn := range cdn.Distributions {
		if !validDistribution.MatchString(arn) {
			found.invalid(key.Child("distributions").Index(i), arn, "is not the ARN of a distribution; expected a form such as arn:aws:cloudfront::111122223333:distribution/EDFDVBD6EXAMPLE")
		}
	}
	if c.Guarded() && !cdn.Create && len(cdn.Distributions) == 0 {
		found.required(key, "must say who reads media: set create and certificate, or distributions")
	}
}

func (c *Config) checkAWS(found *mistakes) {
	if !validAccount.MatchString(c.AWS.Account) {
		if c.AWS.Account == "" {
			found.required(at("nova:aws.account"), "must be set when nova:storage.mode is aws: the 12 digits of the account")
		} else {
			found.invalid(at("nova:aws.account"), c.AWS.Account, "is not an account; expected 12 digits")
		}
	}
	checkCIDRs(found, at("nova:aws.cidrs"), c.AWS.CIDRs)
	c.checkCDN(found)
	issuer, err := url.Parse(c.AWS.OIDCIssuer)
	switch {
	case c.AWS.OIDCIssuer == "":
		found.required(at("nova:aws.oidcIssuer"), "must be set when nova:storage.mode is aws: the roles of service accounts need it in their trust policies")
	case err != nil, issuer.Scheme != "https", issuer.Host == "", issuer.RawQuery != "", issuer.Fragment != "", strings.HasSuffix(c.AWS.OIDCIssuer, "/"):
		found.invalid(at("nova:aws.oidcIssuer"), c.AWS.OIDCIssuer, "is not an issuer; expected https:// with a host and path, without a slash at the end")
	}
	if key := c.Storage.KMSKey; key != "" && !strings.HasPrefix(key, "arn:aws:kms:") {
		found.invalid(at("nova:storage.kmsKey"), key, "is not the ARN of a KMS key")
	}
	if prefix := c.RepositoryPrefix(); !validPath.MatchString(prefix) || prefix != strings.ToLower(prefix) {
		found.invalid(at("nova:aws.repositories.prefix"), prefix, "is not a repository path; allowed: lower-case letters, digits, -, _, . and /")
	}
	between(found, at("nova:aws.repositories.keepImages"), c.AWS.Repositories.KeepImages, 10, 1000)
	between(found, at("nova:aws.repositories.untaggedDays"), c.AWS.Repositories.UntaggedDays, 1, 365)
}
