package migrations

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func directory(t *testing.T, files map[string]string) Directory {
	t.Helper()
	d, err := Read(dirOf(files))
	require.NoError(t, err)
	return d
}

func dirOf(files map[string]string) fstest.MapFS {
	dir := fstest.MapFS{}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return dir
}

func TestRead(t *testing.T) {
	t.Run("sorts by version as a number", func(t *testing.T) {
		d := directory(t, map[string]string{"10_c.sql": "", "9_b.sql": "", "001_a.sql": "", "10_c.md": "", "README.md": ""})
		var files []string
		for _, m := range d.Migrations {
			files = append(files, m.File)
		}
		assert.Equal(t, []string{"001_a.sql", "9_b.sql", "10_c.sql"}, files)
		assert.NoError(t, d.Err())
		assert.Empty(t, d.Skipped)
	})
	t.Run("sums the bytes", func(t *testing.T) {
		d := directory(t, map[string]string{"1_a.sql": "SELECT 1;\n", "2_b.sql": "SELECT 1;\r\n"})
		// printf 'SELECT 1;\n' | sha384sum
		assert.Equal(t, "24454095d8d7876ca8e842f34296ca645c83e0f7b50f048c99db4b2ff4da659267afc4ef3e994f3d74e18c741165d931", d.Migrations[0].Sum())
		assert.NotEqual(t, d.Migrations[0].Sum(), d.Migrations[1].Sum())
	})
	t.Run("honours the directive in the first bytes only", func(t *testing.T) {
		d := directory(t, map[string]string{
			"1_a.sql": "-- no-transaction\nVACUUM", "2_b.sql": "\n-- no-transaction\nVACUUM", "3_c.sql": "\ufeff-- no-transaction\nVACUUM",
			"4_d.sql": "-- no-transactions are used\nVACUUM", "5_e.sql": "--no-transaction\nVACUUM",
		})
		var without []int64
		for _, m := range d.Migrations {
			if m.NoTransaction {
				without = append(without, m.Version)
			}
		}
		assert.Equal(t, []int64{1, 4}, without, "sqlx compares the first 17 bytes and nothing else")
	})
	t.Run("reports all that sqlx refuses", func(t *testing.T) {
		d := directory(t, map[string]string{"1_a.sql": "", "01_b.sql": "", "x_c.sql": "", "3_d.sql": "\xff"})
		err := d.Err()
		assert.ErrorContains(t, err, "1_a.sql: version 1 is also that of 01_b.sql")
		assert.ErrorContains(t, err, "x_c.sql: the name begins with \"x\"")
		assert.ErrorContains(t, err, "3_d.sql: the file is not UTF-8")
	})
	t.Run("takes a pair for two sides of one version", func(t *testing.T) {
		d := directory(t, map[string]string{"1_a.up.sql": "", "1_a.down.sql": "", "2_b.up.sql": "", "2_c.sql": ""})
		assert.ErrorContains(t, d.Err(), "2_c.sql: version 2 is also that of 2_b.up.sql")
		assert.NotContains(t, d.Err().Error(), "1_a")
		assert.Len(t, d.Forward(), 3)
	})
	t.Run("notes what sqlx skips without a word", func(t *testing.T) {
		d := directory(t, map[string]string{"0001-a.sql": "", "0001_a.SQL": "", "phase-7/1_a.sql": "", "docs/a.md": "", "a[1]/1_b.sql": ""})
		assert.ElementsMatch(t, []string{"0001-a.sql", "0001_a.SQL", "phase-7", "a[1]"}, d.Skipped)
		assert.Empty(t, d.Migrations)
	})
	t.Run("follows links, as the files of a mounted volume are", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "..data"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "..data", "1_a.sql"), []byte("SELECT 1"), 0o644))
		require.NoError(t, os.Symlink(filepath.Join("..data", "1_a.sql"), filepath.Join(dir, "1_a.sql")))
		d, err := Read(os.DirFS(dir))
		require.NoError(t, err)
		require.Len(t, d.Migrations, 1)
		assert.Equal(t, "SELECT 1", d.Migrations[0].SQL)
	})
	t.Run("fails on a directory that is not there", func(t *testing.T) {
		_, err := Read(os.DirFS(filepath.Join(t.TempDir(), "none")))
		assert.True(t, errors.Is(err, fs.ErrNotExist))
	})
}

func TestLock(t *testing.T) {
	files := map[string]string{"1_a.sql": "SELECT 1", "2_b.up.sql": "SELECT 2", "2_b.down.sql": "SELECT 3"}
	d := directory(t, files)
	locked, err := d.Lock(nil)
	require.NoError(t, err)
	text := FormatLock(locked)
	t.Run("is read back as it was written", func(t *testing.T) {
		again, err := ParseLock(text)
		require.NoError(t, err)
		assert.ElementsMatch(t, locked, again)
		assert.Equal(t, text, FormatLock(again))
		dir := dirOf(map[string]string{LockFile: text})
		read, err := ReadLock(dir)
		require.NoError(t, err)
		assert.Equal(t, again, read)
		none, err := ReadLock(dirOf(files))
		require.NoError(t, err)
		assert.Empty(t, none)
	})
	t.Run("grows, and lets nothing that is in it change", func(t *testing.T) {
		more := directory(t, map[string]string{"1_a.sql": "SELECT 1", "2_b.up.sql": "SELECT 2", "2_b.down.sql": "SELECT 3", "3_c.sql": ""})
		grown, err := more.Lock(locked)
		require.NoError(t, err)
		assert.Len(t, grown, 4)
		_, err = directory(t, map[string]string{"1_a.sql": "SELECT 9", "2_b.up.sql": "SELECT 2"}).Lock(locked)
		assert.ErrorContains(t, err, "1_a.sql has changed")
		assert.ErrorContains(t, err, "2_b.down.sql is locked, but not there")
		_, err = directory(t, map[string]string{"1_a.sql": "SELECT 1", "x_c.sql": ""}).Lock(nil)
		assert.ErrorContains(t, err, "x_c.sql")
	})
	t.Run("of another shape is refused with its line", func(t *testing.T) {
		for text, want := range map[string]string{
			"1 ab":                "line 1 is not VERSION CHECKSUM FILE",
			"# x\n\nx ab 1_a.sql": `line 3: "x" is not a version`,
			"1 ab 1_a.sql":        "is not a SHA-384",
			FormatLock(locked[:1]) + FormatLock(locked[:1]): "is there twice",
		} {
			_, err := ParseLock(text)
			assert.ErrorContains(t, err, want)
		}
		_, err := ReadLock(dirOf(map[string]string{LockFile: "1"}))
		assert.ErrorContains(t, err, LockFile)
	})
}

func FuzzParseLock(f *testing.F) {
	f.Add("1 " + Migration{}.Sum() + " 1_a.sql\n")
	f.Add("# x\n\n1 2 3")
	f.Fuzz(func(t *testing.T, text string) {
		locked, err := ParseLock(text)
		if err != nil {
			return
		}
		again, err := ParseLock(FormatLock(locked))
		require.NoError(t, err)
		assert.ElementsMatch(t, locked, again)
	})
}
