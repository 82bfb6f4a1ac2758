package workload

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/freeport"
)

// bucketServer is a real SeaweedFS with the bucket of backups.
type bucketServer struct {
	url  string
	keys map[string]string
}

func startBucket(t *testing.T, name string) *bucketServer {
	t.Helper()
	weed := program(t, "weed", "../../bin/weed")
	box := newSandbox(t, "")
	b := &bucketServer{keys: map[string]string{"AWS_ACCESS_KEY_ID": "backupkey", "AWS_SECRET_ACCESS_KEY": `se\cret"/wo+rd`}}
	config := fmt.Sprintf(`{"identities": [{"name": "nova", "credentials": [{"accessKey": %q, "secretKey": %q}], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}`,
		b.keys["AWS_ACCESS_KEY_ID"], b.keys["AWS_SECRET_ACCESS_KEY"])
	require.NoError(t, os.WriteFile(box.path("s3.json"), []byte(config), 0o600))
	require.NoError(t, os.Mkdir(box.path("data"), 0o755))
	args := []string{"server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=" + box.path("data"), "-master.volumeSizeLimitMB=64", "-volume.max=20", "-filer", "-s3", "-s3.config=" + box.path("s3.json")}
	for _, part := range []string{"master", "volume", "filer"} {
		args = append(args, fmt.Sprintf("-%s.port=%s", part, freeport.Get(t)), fmt.Sprintf("-%s.port.grpc=%s", part, freeport.Get(t)))
	}
	port := freeport.Get(t)
	args = append(args, "-s3.port="+port, "-s3.port.grpc="+freeport.Get(t), "-s3.port.iceberg=0", "-s3.port.lance=0")
	server := box.command(nil, weed, args...)
	log, err := os.Create(box.path("log"))
	require.NoError(t, err)
	server.Stdout, server.Stderr = log, log
	start(t, server)
	b.url = "http://127.0.0.1:" + port
	eventually(t, "SeaweedFS takes the bucket", func() error {
		_, err := b.request("--request", "PUT", b.url+"/"+name)
		return err
	})
	b.url += "/" + name
	return b
}

// request is a signed request of a client that is not the scripts.
func (b *bucketServer) request(args ...string) (string, error) {
	cmd := exec.Command("curl", append([]string{"--silent", "--show-error", "--fail", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", b.keys["AWS_ACCESS_KEY_ID"] + ":" + b.keys["AWS_SECRET_ACCESS_KEY"]}, args...)...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (b *bucketServer) put(t *testing.T, key, text string) {
	t.Helper()
	file := t.TempDir() + "/object"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	out, err := b.request("--upload-file", file, b.url+"/"+key)
	require.NoError(t, err, out)
}

// backups are the Jobs of a stack's backups, run on a server and a bucket.
type backups struct {
	*postgresServer
	stack     *stack.Stack
	bucket    *bucketServer
	passwords map[string]string
	// more are variables that whoever starts a Job sets.
	more map[string]string
}

// run runs the containers of a workload one after another, as its pod does.
func (b backups) run(t *testing.T, name string) (string, error) {
	t.Helper()
	w, ok := Find(All(b.stack), name)
	require.True(t, ok, name)
	require.NoError(t, os.RemoveAll(b.path(backupFolder)))
	b.unpack(t, w)
	var all strings.Builder
	for _, container := range append(w.Before, w) {
		env := environment(container, b.passwords, nil)
		for name := range env {
			if value, ours := map[string]string{"PGHOST": "127.0.0.1", "PGPORT": b.port, "BUCKET_URL": b.bucket.url}[name]; ours {
				env[name] = value
			}
		}
		for name, value := range b.more {
			env[name] = value
		}
		out, err := b.postgresServer.run(env, container.Command[0], b.path(container.Command[1]))
		fmt.Fprintln(&all, out)
		if err != nil {
			return all.String(), err
		}
	}
	return all.String(), nil
}

func (b backups) with(more map[string]string) backups {
	b.more = more
	return b
}

// sql runs statements as the superuser.
func (b backups) sql(t *testing.T, database, statements string) string {
	t.Helper()
	out, err := b.query("postgres", b.passwords["POSTGRES_SUPERUSER_PASSWORD"], database, statements)
	require.NoError(t, err, out)
	return out
}

const backedUp = "  nova:dependencies: {postgres: {backup: {schedule: 17 2 * * *, retentionDays: 14}}}\n"

// content is everything in the tables of the tests, and what belongs to whom.
const content = `SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM posts p
UNION ALL SELECT 'next ' || (SELECT last_value FROM posts_number_seq)
UNION ALL SELECT string_agg(tablename || ' of ' || tableowner, ', ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'
UNION ALL SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension
UNION ALL SELECT 'reader ' || has_table_privilege('reader', 'posts', 'SELECT')`

func TestBackup_of_PostgreSQL_comes_back(t *testing.T) {
	c := development(t, backedUp)
	bucket := startBucket(t, "nova-backups-dev")
	passwords := map[string]string{
		"POSTGRES_PASSWORD": "services-word", "POSTGRES_SUPERUSER_PASSWORD": "super'user-word", "POSTGRES_EXPORTER_PASSWORD": "exporter-word", "POSTGRES_MIGRATION_PASSWORD": "migration-word",
	}
	for key, value := range bucket.keys {
		passwords[key] = value
	}
	server := func() backups {
		p := startPostgres(t, c, passwords["POSTGRES_SUPERUSER_PASSWORD"])
		return backups{postgresServer: p, stack: c, bucket: bucket, passwords: passwords}
	}
	first := server()
	out, err := first.setup(t, c, passwords, nil)
	require.NoError(t, err, out)
	first.sql(t, "nova", "CREATE ROLE reader NOLOGIN; SET ROLE nova; CREATE TABLE posts (id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), number serial, tag citext, body text); GRANT SELECT ON posts TO reader")
	first.sql(t, "nova", "INSERT INTO posts (tag, body) SELECT 'Tag ' || n, repeat('é''\\ ', 100) FROM generate_series(1, 5000) n")
	before := first.sql(t, "nova", content)
	require.Contains(t, before, "posts of nova")
	require.Contains(t, before, "reader true")

	list := func(t *testing.T) []string {
		t.Helper()
		out, err := first.with(map[string]string{"PAGE": "3"}).run(t, PostgresBackups)
		require.NoError(t, err, out)
		var names []string
		for line := range strings.Lines(out) {
			if name, _, ok := strings.Cut(line, " "); ok {
				names = append(names, name)
			}
		}
		return names
	}
	t.Run("there is none before the first", func(t *testing.T) {
		assert.Empty(t, list(t))
		out, err := first.run(t, PostgresRestore)
		require.Error(t, err)
		assert.Contains(t, out, "there is no finished backup at all")
	})
	out, err = first.run(t, PostgresBackup)
	require.NoError(t, err, out)
	names := list(t)
	require.Len(t, names, 1)
	backup := names[0]
	at, err := time.Parse("20060102T150405Z", backup)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), at, 10*time.Minute)

	t.Run("a database with data is not restored over", func(t *testing.T) {
		out, err := first.run(t, PostgresRestore)
		var status *exec.ExitError
		require.True(t, errors.As(err, &status), out)
		assert.Equal(t, RefusedStatus, status.ExitCode())
		assert.Contains(t, out, "database nova is not empty: it has 2 table(s) and sequence(s)")
		assert.Equal(t, before, first.sql(t, "nova", content))
	})
	t.Run("a new server has what the old one had", func(t *testing.T) {
		second := server()
		out, err := second.run(t, PostgresRestore)
		require.NoError(t, err, out)
		assert.Contains(t, out, "restored backup "+backup+" into database nova")
		assert.Equal(t, before, second.sql(t, "nova", content))
		assert.Equal(t, "nova\npostgres", second.sql(t, "postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1"), "nothing is left over")
		// The login before the last rotation has a password only after one.
		out, err = second.query("nova_a", "services-word", "nova", "INSERT INTO posts (tag) VALUES ('after'); SELECT count(*) FROM posts WHERE tag = 'TAG 7'")
		require.NoError(t, err, out)
		assert.Contains(t, out, "1")
		out, err = second.query("nova_exporter", "exporter-word", "nova", "SELECT count(*) FROM pg_stat_statements")
		require.NoError(t, err, out)
		second.sql(t, "postgres", "CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
		out, err = second.query("stranger", "stranger", "nova", "SELECT 1")
		require.Error(t, err, out)

		t.Run("and keeps what it had when it is told to restore again", func(t *testing.T) {
			later := second.sql(t, "nova", content)
			require.NotEqual(t, before, later)
			idle := second.command(map[string]string{"PGPASSWORD": "services-word"}, "psql", "-X", "-h", "127.0.0.1", "-p", second.port, "-U", "nova_a", "-d", "nova", "-c", "SELECT pg_sleep(600)")
			require.NoError(t, idle.Start())
			out, err := second.with(map[string]string{BackupVariable: backup, ReplaceVariable: "true"}).run(t, PostgresRestore)
			require.NoError(t, err, out)
			require.Error(t, idle.Wait(), "sessions end")
			assert.Equal(t, before, second.sql(t, "nova", content))
			kept := second.sql(t, "postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'nova\\_before\\_%' AND NOT datallowconn")
			assert.Contains(t, out, "in database "+kept)
			second.sql(t, "postgres", `ALTER DATABASE "`+kept+`" ALLOW_CONNECTIONS true`)
			assert.Equal(t, later, second.sql(t, kept, content))
		})
	})
	t.Run("a restore that fails changes nothing", func(t *testing.T) {
		// As if another restore were running.
		first.sql(t, "postgres", "CREATE DATABASE nova_restored")
		holder := first.command(map[string]string{"PGPASSWORD": passwords["POSTGRES_SUPERUSER_PASSWORD"]}, "psql", "-X", "-h", "127.0.0.1", "-p", first.port, "-U", "postgres", "-d", "nova_restored", "-c", "SELECT pg_sleep(600)")
		require.NoError(t, holder.Start())
		eventually(t, "another restore is connected", func() error {
			if first.sql(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = 'nova_restored'") != "1" {
				return errors.New("not yet")
			}
			return nil
		})
		out, err := first.with(map[string]string{ReplaceVariable: "true"}).run(t, PostgresRestore)
		require.Error(t, err, out)
		assert.Contains(t, out, "being accessed by other users")
		first.sql(t, "postgres", "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'nova_restored'")
		_ = holder.Wait()
		assert.Equal(t, before, first.sql(t, "nova", content))
	})
	t.Run("a backup that changed is refused", func(t *testing.T) {
		bucket.put(t, "postgres/20300101T000000Z/database.dump.aaa", "not a dump")
		bucket.put(t, "postgres/20300101T000000Z/roles.sql", "")
		bucket.put(t, "postgres/20300101T000000Z/SHA256SUMS", strings.Repeat("0", 64)+"  database.dump.aaa\n")
		out, err := first.with(map[string]string{BackupVariable: "20300101T000000Z", ReplaceVariable: "true"}).run(t, PostgresRestore)
		require.Error(t, err)
		assert.Contains(t, out, "does not have the checksums that it was made with")
		assert.Contains(t, out, "database.dump.aaa: FAILED")
		for _, file := range []string{"SHA256SUMS", "roles.sql", "database.dump.aaa"} {
			_, err := bucket.request("--request", "DELETE", bucket.url+"/postgres/20300101T000000Z/"+file)
			require.NoError(t, err)
		}
	})
	t.Run("an unfinished backup is no backup", func(t *testing.T) {
		bucket.put(t, "postgres/20310101T000000Z/database.dump.aaa", "half")
		assert.Equal(t, []string{backup}, list(t))
		out, err := first.with(map[string]string{BackupVariable: "20310101T000000Z"}).run(t, PostgresRestore)
		require.Error(t, err)
		assert.Contains(t, out, "there is no finished backup 20310101T000000Z")
	})
	t.Run("a failed dump uploads nothing", func(t *testing.T) {
		out, err := first.with(map[string]string{"DATABASE": "absent"}).run(t, PostgresBackup)
		require.Error(t, err)
		assert.Contains(t, out, "pg_dump of database absent failed")
		assert.Equal(t, []string{backup}, list(t))
	})
	t.Run("old ones are removed and the newest three stay", func(t *testing.T) {
		for _, old := range []string{"20200101T000000Z", "20200102T000000Z", "20200103T000000Z"} {
			bucket.put(t, "postgres/"+old+"/database.dump.aaa", "old")
			bucket.put(t, "postgres/"+old+"/SHA256SUMS", "old")
		}
		bucket.put(t, "postgres/20200104T000000Z/database.dump.aaa", "never finished")
		time.Sleep(time.Until(at.Add(1100 * time.Millisecond))) // Names are of seconds.
		out, err := first.run(t, PostgresBackup)
		require.NoError(t, err, out)
		left := list(t)
		require.Len(t, left, 3, out)
		assert.Equal(t, []string{"20200103T000000Z", backup}, left[:2])
		for _, name := range []string{"20200101T000000Z", "20200102T000000Z", "20200104T000000Z"} {
			assert.Contains(t, out, "removed backup "+name)
			_, err := bucket.request("--head", bucket.url+"/postgres/"+name+"/database.dump.aaa")
			assert.Error(t, err, name)
		}
	})
	t.Run("no key and no password is on a command line", func(t *testing.T) {
		for _, tool := range []string{"curl", "psql", "pg_dump", "pg_dumpall", "pg_restore"} {
			path, err := exec.LookPath(tool)
			require.NoError(t, err)
			first.recorderTool(t, "/bin/"+tool, `exec `+path+` "$@"`)
		}
		path := map[string]string{"PATH": first.path("/bin") + ":" + os.Getenv("PATH")}
		require.NoError(t, os.WriteFile(first.path("calls"), nil, 0o666))
		require.NoError(t, os.Chmod(first.path("calls"), 0o666))
		out, err := first.with(path).run(t, PostgresBackup)
		require.NoError(t, err, out)
		path[ReplaceVariable] = "true"
		out, err = first.with(path).run(t, PostgresRestore)
		require.NoError(t, err, out)
		calls := first.calls(t)
		assert.Contains(t, calls, "pg_dump ")
		assert.Contains(t, calls, "curl ")
		for key, value := range passwords {
			assert.NotContains(t, calls, value, key)
			assert.NotContains(t, out, value, key)
		}
	})
	t.Run("the role of the pod gives the keys where there are none", func(t *testing.T) {
		token := first.path("token")
		require.NoError(t, os.WriteFile(token, []byte("the token"), 0o644))
		// What STS answers, by its documentation; there is no STS here.
		sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.NoError(t, r.ParseForm())
			assert.Equal(t, "AssumeRoleWithWebIdentity", r.PostForm.Get("Action"))
			assert.Equal(t, "the token", r.PostForm.Get("WebIdentityToken"))
			assert.Equal(t, "arn:aws:iam::1:role/x", r.PostForm.Get("RoleArn"))
			fmt.Fprintf(w, "<AssumeRoleWithWebIdentityResponse>\n  <AssumeRoleWithWebIdentityResult>\n    <Credentials>\n      <SessionToken>the session</SessionToken>\n      <SecretAccessKey>%s</SecretAccessKey>\n      <AccessKeyId>%s</AccessKeyId>\n    </Credentials>\n  </AssumeRoleWithWebIdentityResult>\n</AssumeRoleWithWebIdentityResponse>\n",
				bucket.keys["AWS_SECRET_ACCESS_KEY"], bucket.keys["AWS_ACCESS_KEY_ID"])
		}))
		defer sts.Close()
		out, err := first.with(map[string]string{
			"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
			"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ENDPOINT_URL_STS": sts.URL,
		}).run(t, PostgresBackups)
		require.NoError(t, err, out)
		assert.Contains(t, out, backup+" ")

		out, err = first.with(map[string]string{"AWS_ACCESS_KEY_ID": ""}).run(t, PostgresBackups)
		require.Error(t, err)
		assert.Contains(t, out, "there are neither keys nor a role")
	})
}

func TestBackup_reaches_the_bucket_where_it_is(t *testing.T) {
	for name, tc := range map[string]struct{ lines, url string }{
		"in the cluster": {"", "http://object-store.nova-backend.svc.cluster.local:8333/nova-backups-dev"},
		"elsewhere":      {"  nova:storage: {endpoint: \"s3.example.com:443\", tls: true}\n  nova:secretSources: {default: external, keys: {JWT_PRIVATE_KEY_PEM: generated}}\n", "https://s3.example.com:443/nova-backups-dev"},
		"in AWS":         {aws, "https://nova-backups-dev.s3.eu-west-1.amazonaws.com"},
		"a name with dots, which no certificate covers": {strings.Replace(aws, "eu-west-1", "eu-west-1, buckets: {backups: nova.backups}", 1), "https://s3.eu-west-1.amazonaws.com/nova.backups"},
	} {
		t.Run(name, func(t *testing.T) {
			w, ok := Find(All(development(t, backedUp+tc.lines)), PostgresBackup)
			require.True(t, ok)
			assert.Equal(t, tc.url, w.Env["BUCKET_URL"].Text)
			_, keys := w.Env["AWS_ACCESS_KEY_ID"]
			assert.Equal(t, name == "in the cluster" || name == "elsewhere", keys, "a role needs none")
			assert.Empty(t, w.Before[0].Env["AWS_ACCESS_KEY_ID"], "the dump needs no key")
			assert.Empty(t, w.Env["SUPERUSER_PASSWORD"], "the upload needs no password")
		})
	}
	_, ok := Find(All(development(t, "")), PostgresBackup)
	assert.False(t, ok, "development makes none")
}

const aws = `  nova:storage: {mode: aws, region: eu-west-1}
  nova:aws: {account: "111122223333", oidcIssuer: "https://oidc.example.com/id"}
  nova:secretSources: {default: external, keys: {JWT_PRIVATE_KEY_PEM: generated}}
`
