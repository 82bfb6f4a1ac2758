package runner

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"nova.dev/infra/migrations"
)

// State is where a migration stands in a database.
type State string

// The states.
const (
	// Applied: it is on record and unchanged.
	Applied State = "applied"
	// Pending: the next run applies it.
	Pending State = "pending"
	// OutOfOrder: it is pending, and one of a higher version is applied.
	OutOfOrder State = "out of order"
	// Changed: the file is not the one that was applied.
	Changed State = "changed"
	// Missing: it is on record, and the directory does not have it.
	Missing State = "missing"
	// Failed: it is on record as failed.
	Failed State = "failed"
)

// Row is one migration of a directory or of a database.
type Row struct {
	Version     int64  `json:"version"`
	Description string `json:"description"`
	// File is empty for one that the directory does not have.
	File  string `json:"file,omitempty"`
	State State  `json:"state"`
	// InstalledOn and Seconds are those on record; Seconds is negative where the
	// migrator died before it wrote them.
	InstalledOn *time.Time `json:"installed_on,omitempty"`
	Seconds     float64    `json:"seconds,omitempty"`
	// ContractSince is the release of a contract marker.
	ContractSince string `json:"contract_since,omitempty"`
}

// Report is the state of a database.
type Report struct {
	Migrations []Row `json:"migrations"`
	// InvalidIndexes are what failed attempts to build an index have left.
	InvalidIndexes []string `json:"invalid_indexes"`
}

// Count is the number of migrations in a state.
func (r Report) Count(s State) int {
	n := 0
	for _, row := range r.Migrations {
		if row.State == s {
			n++
		}
	}
	return n
}

// Status compares a database with a directory. It changes nothing.
func Status(ctx context.Context, d migrations.Directory, db Database) (Report, error) {
	report := Report{Migrations: []Row{}, InvalidIndexes: []string{}}
	conn, err := db.connect(ctx, io.Discard, 0)
	if err != nil {
		return report, err
	}
	defer closeConn(conn)
	var records []record
	ledger, found, err := findLedger(ctx, conn)
	if err == nil && found {
		records, err = ledger.records(ctx, conn)
	}
	if err != nil {
		return report, fmt.Errorf("reading %s: %w", tableName, err)
	}
	report.Migrations = compare(d.Forward(), records)
	invalid, err := invalidIndexes(ctx, conn)
	if err != nil {
		return report, fmt.Errorf("looking for invalid indexes: %w", err)
	}
	for _, i := range invalid {
		if !i.building {
			report.InvalidIndexes = append(report.InvalidIndexes, i.name)
		}
	}
	return report, nil
}

func compare(forward []migrations.Migration, records []record) []Row {
	rows := []Row{}
	var highest int64
	for _, a := range records {
		highest = max(highest, a.version)
		row := Row{Version: a.version, Description: a.description, State: Missing, InstalledOn: &a.installedOn, Seconds: time.Duration(a.executionTime).Seconds()}
		if at := slices.IndexFunc(forward, func(m migrations.Migration) bool { return m.Version == a.version }); at >= 0 {
			m := forward[at]
			row.File, row.ContractSince, row.State = m.File, m.ContractSince(), Applied
			if !bytes.Equal(m.Checksum[:], a.checksum) {
				row.State = Changed
			}
		}
		if !a.success {
			row.State = Failed
		}
		rows = append(rows, row)
	}
	for _, m := range forward {
		if slices.ContainsFunc(records, func(a record) bool { return a.version == m.Version }) {
			continue
		}
		state := Pending
		if m.Version < highest {
			state = OutOfOrder
		}
		rows = append(rows, Row{Version: m.Version, Description: m.Description, File: m.File, State: state, ContractSince: m.ContractSince()})
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.Version, b.Version) })
	return rows
}
