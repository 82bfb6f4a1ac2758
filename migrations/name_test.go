package migrations

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The expectations follow sqlx-core/src/migrate/source.rs and migration_type.rs at
// 9d6bf662.
func TestParseName(t *testing.T) {
	for file, want := range map[string]Name{
		"1_a.sql":                          {1, "a", Simple},
		"0007_add_tags_to_posts.sql":       {7, "add tags to posts", Simple},
		"20260101120000_add_tags.up.sql":   {20260101120000, "add tags", Up},
		"20260101120000_add_tags.down.sql": {20260101120000, "add tags", Down},
		"+5_signed.sql":                    {5, "signed", Simple},
		"-5_signed.sql":                    {-5, "signed", Simple},
		"1__double.sql":                    {1, " double", Simple},
		"1_.sql":                           {1, "", Simple},
		"1_a.sql.sql":                      {1, "a", Simple}, // trim_end_matches repeats.
		"1_a.up.sql.up.sql":                {1, "a", Up},
		"1_a.up.sql.sql":                   {1, "a.up", Simple},
		"1_a.UP.sql":                       {1, "a.UP", Simple},
		"9223372036854775807_max.sql":      {9223372036854775807, "max", Simple},
	} {
		name, ours, err := ParseName(file)
		require.NoError(t, err, file)
		assert.True(t, ours, file)
		assert.Equal(t, want, name, file)
	}
	for _, file := range []string{"README.md", "0001-a.sql", "0001.sql", "0001_a.SQL", "0001_a.sql.bak", "migrations.lock", ""} {
		_, ours, err := ParseName(file)
		assert.NoError(t, err, file)
		assert.False(t, ours, "sqlx skips %q", file)
	}
	for _, file := range []string{"schema_v2.sql", "_a.sql", "1.5_a.sql", "0x1_a.sql", "1 _a.sql", "9223372036854775808_a.sql", "１_a.sql", "1_\xff.sql", "--1_a.sql", "1e3_a.sql"} {
		_, ours, err := ParseName(file)
		assert.True(t, ours, file)
		assert.Error(t, err, "sqlx refuses %q", file)
	}
}

func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"0001_a.sql", "1_a.up.sql", "1_a.down.sql", "-1_.sql", "a_b.sql", "1_a.sql.sql", "_", "1_\xff.sql"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		name, ours, err := ParseName(file)
		if !ours {
			assert.NoError(t, err)
			assert.False(t, strings.Contains(file, "_") && strings.HasSuffix(file, ".sql") && strings.Index(file, "_") < len(file)-4)
			return
		}
		if err != nil {
			return
		}
		assert.NotContains(t, name.Description, "_")
		assert.False(t, strings.HasSuffix(name.Description, name.Kind.suffix()))
		assert.True(t, utf8.ValidString(name.Description))
	})
}
