package runner

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseURL(t *testing.T) {
	t.Run("reads what sqlx reads", func(t *testing.T) {
		db, err := ParseURL("postgres://nova:p%40ss@pg.example.com:6432/nova?sslmode=require&statement-cache-capacity=10&options=-c%20work_mem%3D64MB")
		require.NoError(t, err)
		assert.Equal(t, "p@ss", db.config.Password)
		assert.Equal(t, "-c work_mem=64MB", db.config.RuntimeParams["options"])
		assert.NotContains(t, db.config.RuntimeParams, "statement-cache-capacity", "only sqlx knows it")
		assert.Equal(t, "UTC", db.config.RuntimeParams["TimeZone"])
		assert.Equal(t, "nova-migrations", db.config.RuntimeParams["application_name"])
		assert.Equal(t, "database nova on pg.example.com:6432 as nova", db.String())
		db, err = ParseURL("postgresql://nova@pg/nova?ssl-mode=disable&application_name=x")
		require.NoError(t, err)
		assert.Nil(t, db.config.TLSConfig)
		assert.Equal(t, "x", db.config.RuntimeParams["application_name"])
	})
	t.Run("takes a password that it lacks from the environment", func(t *testing.T) {
		t.Setenv("PGPASSWORD", "planted")
		db, err := ParseURL("postgres://nova_migrator@pg/nova")
		require.NoError(t, err)
		assert.Equal(t, "planted", db.config.Password)
		assert.NotContains(t, db.String(), "planted")
	})
	t.Run("shows no part of a URL that is wrong", func(t *testing.T) {
		for _, url := range []string{
			"", "planted", "mysql://nova:planted@pg/nova", "postgres://nova:plan ted@pg/nova", "postgres://nova:planted%zz@pg/nova", "postgres://nova:plan/ted@pg/nova",
			"postgres://nova:planted@pg:port/nova", "postgres://nova:planted@pg/nova?sslmode=maybe", "postgres://pg/nova?password=planted&sslmode=maybe",
			"postgres://nova:planted@pg/nova?sslrootcert=/nowhere&sslmode=verify-full",
		} {
			_, err := ParseURL(url)
			if url == "postgres://nova:plan/ted@pg/nova" && err == nil {
				continue // A host "nova" with a port that is none is refused; this one may be read as a path.
			}
			require.Error(t, err, url)
			for _, secret := range []string{"planted", "plan", "ted@"} {
				assert.NotContains(t, err.Error(), secret, url)
			}
		}
	})
	t.Run("says what is wrong with the rest of it", func(t *testing.T) {
		_, err := ParseURL("postgres://nova:planted@pg/nova?sslmode=maybe")
		assert.ErrorContains(t, err, "sslmode")
		_, err = ParseURL("postgres://nova:planted@pg/nova?sslrootcert=/nowhere&sslmode=verify-full")
		assert.ErrorContains(t, err, "/nowhere")
	})
}

func TestConnect(t *testing.T) {
	d := newDatabase(t)
	t.Run("a wrong database fails at once and shows no password", func(t *testing.T) {
		db, err := ParseURL(strings.Replace(fmt.Sprintf("postgres://postgres@%s/nowhere?sslmode=disable", server), "postgres@", "postgres:planted@", 1))
		require.NoError(t, err)
		_, _, err = (&database{Database: db}).run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "SELECT 1"})})
		require.ErrorContains(t, err, `database "nowhere" does not exist`)
		assert.NotContains(t, err.Error(), "planted")
	})
	t.Run("a login that is in the making is waited for where that was asked", func(t *testing.T) {
		db, err := ParseURL("postgres://later@" + server + "/of_later?sslmode=disable")
		require.NoError(t, err)
		files := directory(t, map[string]string{"1_a.sql": "CREATE TABLE a ()"})
		_, _, err = (&database{Database: db}).run(t, Options{Directory: files})
		require.ErrorContains(t, err, `role "later" does not exist`)

		made := make(chan struct{})
		go func() {
			defer close(made)
			for _, sql := range []string{"CREATE ROLE later", "CREATE DATABASE of_later OWNER later", "ALTER ROLE later LOGIN"} {
				time.Sleep(time.Second)
				_, err := d.conn.PgConn().Exec(context.Background(), sql).ReadAll()
				assert.NoError(t, err)
			}
		}()
		result, said, err := (&database{Database: db}).run(t, Options{Directory: files, SetupWait: time.Minute})
		<-made
		require.NoError(t, err, said)
		assert.Len(t, result.Applied, 1)
		assert.Contains(t, said, "waiting at most 1m0s for database of_later on ")

		db, err = ParseURL("postgres://never@" + server + "/of_later?sslmode=disable")
		require.NoError(t, err)
		_, said, err = (&database{Database: db}).run(t, Options{Directory: files, SetupWait: time.Minute, Deadline: 2 * time.Second})
		require.ErrorContains(t, err, "the deadline of 2s is over", said)
	})
	t.Run("a pooler is refused", func(t *testing.T) {
		db, err := ParseURL("postgres://postgres@" + pooler(t) + "/" + d.name + "?sslmode=disable")
		require.NoError(t, err)
		_, _, err = (&database{Database: db}).run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "SELECT 1"})})
		var refused *RefusedError
		require.ErrorAs(t, err, &refused)
		assert.ErrorContains(t, err, "through a pooler")
	})
	t.Run("a role without rights is told so", func(t *testing.T) {
		d.exec(t, "CREATE ROLE poor LOGIN")
		db, err := ParseURL("postgres://poor@" + server + "/" + d.name + "?sslmode=disable")
		require.NoError(t, err)
		_, _, err = (&database{Database: db}).run(t, Options{Directory: directory(t, map[string]string{"1_a.sql": "SELECT 1"})})
		require.ErrorContains(t, err, "creating _sqlx_migrations")
		require.ErrorContains(t, err, "permission denied for schema public")
	})
}

// pooler listens in front of the server and, as poolers do, gives clients a process
// number of its own.
func pooler(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				return
			}
			go func() { _, _ = io.Copy(upstream, client); _ = upstream.Close() }()
			go func() { relay(client, upstream); _ = client.Close() }()
		}
	}()
	return listener.Addr().String()
}

// relay copies messages of the server and changes BackendKeyData.
func relay(client io.Writer, upstream io.Reader) {
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(upstream, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(upstream, body); err != nil {
			return
		}
		if head[0] == 'K' {
			binary.BigEndian.PutUint32(body, 4711)
		}
		if _, err := client.Write(append(head[:5:5], body...)); err != nil {
			return
		}
	}
}
