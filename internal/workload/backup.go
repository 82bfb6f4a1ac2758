package workload

import (
	_ "embed" // Backups are made by shell scripts.
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

var (
	//go:embed scripts/postgres_dump.sh
	postgresDumpScript string
	//go:embed scripts/postgres_restore.sh
	postgresRestoreScript string
	//go:embed scripts/backup_store.sh
	backupStoreScript string
	//go:embed scripts/backup_upload.sh
	backupUploadScript string
	//go:embed scripts/backup_download.sh
	backupDownloadScript string
	//go:embed scripts/backup_list.sh
	backupListScript string
)

// The names of what backs PostgreSQL up.
const (
	PostgresBackup  = "postgres-backup"
	PostgresRestore = "postgres-restore"
	PostgresBackups = "postgres-backups"
)

// BackupAccount is the identity under which all of them reach the bucket.
const BackupAccount = PostgresBackup

const (
	// backupFolder is where a dump lies while it is carried.
	backupFolder = "/backup"
	// backupUser may be any; all containers of a pod share the folder.
	backupUser = 999
	// backupDeadlineSeconds bounds one backup, and one restore.
	backupDeadlineSeconds = 6 * 3600
)

// Variables of a backup Job that whoever starts it may set.
const (
	// BackupVariable is the name of the backup to restore, or BackupLatest.
	BackupVariable = "BACKUP"
	BackupLatest   = "latest"
	// ReplaceVariable is "true" to restore over a database that is not empty.
	ReplaceVariable = "REPLACE"
)

// RefusedStatus is the exit status of a restore that was refused; the programs
// that it runs have others.
const RefusedStatus = 10

// postgresBackups are the backup of PostgreSQL, which runs on its schedule, and
// its restore and the list of backups, which run when somebody asks.
func postgresBackups(s *stack.Stack, server *Workload, setup *Workload) []Workload {
	spec := s.Dependencies.Postgres
	dump := Workload{
		Image: server.Image, PullPolicy: pullOnce, Command: script("dump.sh"),
		Env: map[string]Value{"DATABASE": {Text: spec.Database}},
	}
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "SUPERUSER_PASSWORD", "PREVIOUS_SUPERUSER_PASSWORD"} {
		dump.Env[name] = setup.Env[name]
	}
	backup := carrier(s, PostgresBackup, "upload.sh")
	backup.Schedule = spec.Backup.Schedule
	backup.Before = []Workload{dump}
	backup.Env["RETENTION_DAYS"] = Value{Text: strconv.Itoa(spec.Backup.RetentionDays)}
	backup.Files = files(map[string]string{
		"login.sh": waitFor + postgresLoginScript, "dump.sh": postgresDumpScript, "store.sh": backupStoreScript, "upload.sh": backupUploadScript,
	})
	backup.connect(server.Name, postgresPort)

	download := carrier(s, "", "download.sh")
	download.Env[BackupVariable] = Value{Text: BackupLatest}
	restore := Workload{
		Name: PostgresRestore, Kind: Backup, Store: catalog.Postgres,
		Image: server.Image, PullPolicy: pullOnce, User: backupUser,
		Command: script("restore.sh"), Env: map[string]Value{ReplaceVariable: {Text: "false"}},
		Before: []Workload{download},
	}
	for name, value := range setup.Env {
		restore.Env[name] = value
	}
	restore.Files = files(map[string]string{
		"login.sh": waitFor + postgresLoginScript, "setup.sql": postgresSetupSQL, "store.sh": backupStoreScript,
		"download.sh": backupDownloadScript, "restore.sh": postgresRestoreScript,
	})
	restore.connect(server.Name, postgresPort)
	restore.connectTo(s, catalog.ObjectStorage)

	list := carrier(s, PostgresBackups, "list.sh")
	list.Files = files(map[string]string{"store.sh": backupStoreScript, "list.sh": backupListScript})

	for _, w := range []*Workload{&backup, &restore} {
		w.Work = Volume{Path: backupFolder, Size: spec.Backup.Scratch}
		w.Resources = withDisk(setupResources, spec.Backup.Scratch)
	}
	all := []Workload{backup, restore, list}
	for i := range all {
		all[i].Scratch = []string{scratch}
		all[i].Account = BackupAccount
		all[i].Replicas, all[i].PeakPods = 1, 1
		all[i].DeadlineSeconds = backupDeadlineSeconds
	}
	return all
}

// carrier is a process that reads and writes the bucket of backups.
func carrier(s *stack.Stack, name, file string) Workload {
	w := Workload{
		Name: name, Kind: Backup, Store: catalog.Postgres,
		Image: s.ImageReference("curl"), PullPolicy: pullOnce, User: backupUser,
		Command: script(file), Resources: setupResources,
		Env: map[string]Value{
			"BUCKET_URL": {Text: bucketURL(s, s.BucketNames()[catalog.BucketBackups])},
			"REGION":     {Text: s.Storage.Region},
		},
	}
	if s.Storage.Mode != config.StorageAWS {
		w.Env["AWS_ACCESS_KEY_ID"] = Value{Secret: "AWS_ACCESS_KEY_ID"}
		w.Env["AWS_SECRET_ACCESS_KEY"] = Value{Secret: "AWS_SECRET_ACCESS_KEY"}
	}
	w.connectTo(s, catalog.ObjectStorage)
	return w
}

// bucketURL is the address of a bucket. AWS names the bucket in the host, where
// its certificate allows that; other stores take it in the path.
func bucketURL(s *stack.Stack, bucket string) string {
	if s.Storage.Mode != config.StorageAWS {
		return s.Store(catalog.ObjectStorage).Endpoint.HTTP() + "/" + bucket
	}
	if strings.Contains(bucket, ".") {
		return fmt.Sprintf("https://s3.%s.amazonaws.com/%s", s.Storage.Region, bucket)
	}
	return fmt.Sprintf("https://%s.s3.%s.amazonaws.com", bucket, s.Storage.Region)
}

func script(file string) []string { return []string{"/bin/sh", settingsPath + "/" + file} }

// files are texts under their paths in a container.
func files(texts map[string]string) map[string]string {
	all := map[string]string{}
	for name, text := range texts {
		all[settingsPath+"/"+name] = text
	}
	return all
}

// withDisk adds a folder to the local disk that a container asks for.
func withDisk(r config.Resources, folder string) config.Resources {
	for _, each := range []*string{&r.Requests.EphemeralStorage, &r.Limits.EphemeralStorage} {
		sum := resource.MustParse(*each)
		sum.Add(resource.MustParse(folder))
		*each = sum.String()
	}
	return r
}
