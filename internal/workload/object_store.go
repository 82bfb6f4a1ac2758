package workload

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

// Ports of SeaweedFS beside that of S3. They are for the set-up only: a client
// of these ports reads and writes everything without a key.
const (
	seaweedMaster    = 9333
	seaweedFiler     = 8888
	seaweedGRPCShift = 10000
)

// objectStore runs SeaweedFS: master, volume, filer and S3 in one process. The
// keys of the services are in its data, as roles are in PostgreSQL's: the set-up
// changes them without a restart.
func objectStore(s *stack.Stack, w *Workload) *Workload {
	w.start(objectStoreStart)
	w.Env = map[string]Value{
		// The name under which its parts, and the set-up, find each other.
		"MEMBER_ADDRESS": {Text: member(s, w.Name, 0)},
		// Browsers upload to presigned URLs.
		"ALLOWED_ORIGINS": {Text: s.VariableValues()["CORS_ALLOWED_ORIGINS"]},
	}
	w.Ports = []Port{
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
	w.checks(answers, answers)
	w.GraceSeconds = 60
	w.FindEachOther = true

	setup := w.setup(objectStoreSetup)
	var buckets strings.Builder
	names := s.BucketNames()
	for _, bucket := range s.Buckets() {
		fmt.Fprintln(&buckets, names[bucket])
	}
	setup.Files[settingsPath+"/buckets"] = buckets.String()
	at := func(port int) Value { return Value{Text: fmt.Sprintf("%s:%d", member(s, w.Name, 0), port)} }
	setup.Env = map[string]Value{
		"MASTER": at(seaweedMaster), "FILER": at(seaweedFiler), "S3": at(objectStorePort),
		"IDENTITY":            {Text: "nova"},
		"ACCESS_KEY":          {Secret: "AWS_ACCESS_KEY_ID"},
		"SECRET_KEY":          {Secret: "AWS_SECRET_ACCESS_KEY"},
		"PREVIOUS_ACCESS_KEY": {Secret: "AWS_ACCESS_KEY_ID", Previous: true},
		"PREVIOUS_SECRET_KEY": {Secret: "AWS_SECRET_ACCESS_KEY", Previous: true},
	}
	return setup
}

var objectStorePort = catalog.FindStore(catalog.ObjectStorage).Port
