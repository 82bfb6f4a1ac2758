package migrations

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/semver"
)

func TestParseDirective(t *testing.T) {
	for comment, want := range map[string]Directive{
		"-- nova: contract since=v1.4.0":           {Verb: Contract, Since: "v1.4.0"},
		"--nova: contract   since=v1.4.0-rc.1\r":   {Verb: Contract, Since: "v1.4.0-rc.1"},
		"-- nova: allow ban-drop-table: a reason":  {Verb: Allow, Rules: []string{"ban-drop-table"}, Reason: "a reason"},
		"-- nova:allow a , b : it says: so":        {Verb: Allow, Rules: []string{"a", "b"}, Reason: "it says: so"},
		"--\tnova:  allow-file a: for all of them": {Verb: AllowFile, Rules: []string{"a"}, Reason: "for all of them"},
	} {
		d, ours, err := ParseDirective(comment)
		require.NoError(t, err, comment)
		assert.True(t, ours, comment)
		assert.Equal(t, want, d, comment)
	}
	for _, comment := range []string{"-- a comment", "-- supernova: a star", "-- nova contract", "-- renovate: nova:", "--", ""} {
		_, ours, err := ParseDirective(comment)
		assert.NoError(t, err, comment)
		assert.False(t, ours, comment)
	}
	for comment, want := range map[string]string{
		"-- nova:":                           "allowed: contract, allow, allow-file",
		"-- nova: ignore a: b":               "allowed: contract, allow, allow-file",
		"-- nova: allow":                     "names no rule",
		"-- nova: allow : b":                 "names no rule",
		"-- nova: allow a":                   "has no reason",
		"-- nova: allow a:  ":                "has no reason",
		"-- nova: contract":                  "contract since=v1.4.0",
		"-- nova: contract since=1.4.0":      "contract since=v1.4.0",
		"-- nova: contract since=v1.4.0 now": "contract since=v1.4.0",
		"-- Nova: allow a: b":                "lower case",
		"-- nova : allow a: b":               "without a space",
	} {
		_, ours, err := ParseDirective(comment)
		assert.True(t, ours, comment)
		assert.ErrorContains(t, err, want, comment)
	}
}

func FuzzParseDirective(f *testing.F) {
	for _, seed := range []string{"-- nova: contract since=v1.4.0", "-- nova: allow a, b: c", "-- nova: allow-file a: c", "-- x", "-- nova:", "--nova:allow a:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, comment string) {
		d, ours, err := ParseDirective(comment)
		switch {
		case !ours:
			assert.NoError(t, err)
		case err != nil:
		case d.Verb == Contract:
			assert.True(t, semver.IsValid(d.Since))
		default:
			assert.NotEmpty(t, d.Rules)
			assert.NotEmpty(t, d.Reason)
			for _, r := range d.Rules {
				assert.NotContains(t, r, ",")
				assert.Equal(t, strings.TrimSpace(r), r)
			}
		}
	})
}

func TestMigration_reads_its_contract_marker_from_its_head(t *testing.T) {
	for sql, want := range map[string]string{
		"-- nova: contract since=v1.4.0\nDROP TABLE a;":                         "v1.4.0",
		"-- no-transaction\n\n-- why\n-- nova: contract since=v1.4.0\nSELECT 1": "v1.4.0",
		"DROP TABLE a;\n-- nova: contract since=v1.4.0":                         "",
		"SELECT '\n-- nova: contract since=v1.4.0\n'":                           "",
		"-- nova: contract since=soon\nDROP TABLE a;":                           "",
		"": "",
	} {
		assert.Equal(t, want, Migration{SQL: sql}.ContractSince(), sql)
	}
}

func TestGate(t *testing.T) {
	expand := Migration{File: "1_a.sql", Name: Name{Kind: Simple}, SQL: "SELECT 1"}
	contract := Migration{File: "2_b.sql", Name: Name{Kind: Simple}, SQL: "-- nova: contract since=v1.4.0\nDROP TABLE a"}
	down := Migration{File: "2_b.down.sql", Name: Name{Kind: Down}, SQL: contract.SQL}
	all := []Migration{expand, contract, down}
	for name, tc := range map[string]struct {
		serving []string
		want    string
	}{
		"every serving release can do without it": {[]string{"v1.4.0", "v1.10.0"}, ""},
		"the one a rollback returns to cannot":    {[]string{"v1.4.0", "v1.3.9"}, "what v1.3.9 uses"},
		"a release candidate comes before":        {[]string{"v1.4.0-rc.1"}, "what v1.4.0-rc.1 uses"},
		"it is not known what serves":             {nil, "which releases serve is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			refused := Gate(all, tc.serving)
			if tc.want == "" {
				assert.Empty(t, refused)
				return
			}
			require.Len(t, refused, 1)
			assert.ErrorContains(t, refused[0], "2_b.sql: ")
			assert.ErrorContains(t, refused[0], tc.want)
		})
	}
	assert.NoError(t, CheckReleases([]string{"v1.4.0", "v1.4.0-rc.1"}))
	assert.ErrorContains(t, CheckReleases([]string{"v1.4.0", "1.4.0"}), `"1.4.0" is not a release`)
}
