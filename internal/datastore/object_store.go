package datastore

import (
	_ "embed" // Start and set-up are shell scripts.
	"fmt"
	"strings"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

var (
	//go:embed scripts/object_store_start.sh
	objectStoreStart string
	//go:embed scripts/object_store_setup.sh
	objectStoreSetup string
)

// Ports of SeaweedFS beside that of S3. They are for the set-up alone: whoever
// reaches them reads and writes everything without a key.
const (
	seaweedMaster    = 9333
	seaweedFiler     = 8888
	seaweedGRPCShift = 10000
)

// objectStore runs SeaweedFS: master, volume, filer and S3 in one process.
func (s *Store) objectStore(c *stack.Stack, site Site) {
	s.start(objectStoreStart)
	s.Env = map[string]string{
		// The name under which its parts, and the set-up, find each other.
		"MEMBER_ADDRESS": site.member(s.Name, 0),
		// Browsers upload to presigned URLs.
		"ALLOWED_ORIGINS": c.VariableValues()["CORS_ALLOWED_ORIGINS"],
	}
	s.Secrets = []SecretVariable{
		{Variable: "AWS_ACCESS_KEY_ID", Key: "AWS_ACCESS_KEY_ID"},
		{Variable: "AWS_SECRET_ACCESS_KEY", Key: "AWS_SECRET_ACCESS_KEY"},
	}
	s.Memory = []string{"/run/seaweedfs"}
	s.Ports = []Port{
		{Name: "s3", Number: objectStorePort},
		{Name: "master", Number: seaweedMaster, Internal: true},
		{Name: "master-grpc", Number: seaweedMaster + seaweedGRPCShift, Internal: true},
		{Name: "filer", Number: seaweedFiler, Internal: true},
		{Name: "filer-grpc", Number: seaweedFiler + seaweedGRPCShift, Internal: true},
	}
	answers := Check{
		Command: shell(fmt.Sprintf("wget -q -O /dev/null http://127.0.0.1:%d/status", objectStorePort)),
		Path:    "/status", Port: objectStorePort,
	}
	s.Ready, s.Alive = answers, answers
	s.StopSeconds = 60
	s.FindEachOther = true

	s.Setup = s.setup(objectStoreSetup)
	var buckets strings.Builder
	names := c.CatalogEnvironment().Buckets
	for _, bucket := range catalog.Buckets() {
		fmt.Fprintln(&buckets, names[bucket])
	}
	s.Setup.Files[settingsPath+"/buckets"] = buckets.String()
	s.Setup.Env = map[string]string{
		"MASTER": fmt.Sprintf("%s:%d", site.member(s.Name, 0), seaweedMaster),
		"FILER":  fmt.Sprintf("%s:%d", site.member(s.Name, 0), seaweedFiler),
	}
}

var objectStorePort = catalog.FindStore(catalog.ObjectStorage).Port
