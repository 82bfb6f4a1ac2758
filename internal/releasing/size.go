package releasing

import (
	"encoding/json"
	"fmt"

	"nova.dev/infra/release"
)

// maxRecord is the maximum size of a record in bytes. A ConfigMap holds 1 MiB.
const maxRecord = 900 << 10

// written is a record as text. One that is too long loses the middle of its
// timeline, which then says so; its gates have all figures nevertheless.
func written(record release.Record) (string, error) {
	for {
		text, err := json.Marshal(record)
		if err != nil {
			return "", err
		}
		if len(text) <= maxRecord {
			return string(text), nil
		}
		n := len(record.Timeline)
		if n < 8 {
			return "", fmt.Errorf("release %s: its record has %d bytes, more than the %d that a ConfigMap holds", record.Plan.ID, len(text), maxRecord)
		}
		from, to := n/4, n/2
		gap := release.Event{
			At: record.Timeline[from].At, Phase: record.Timeline[from].Phase, Kind: release.Trouble,
			Text: fmt.Sprintf("the timeline is too long: events up to %s are left out", record.Timeline[to-1].At.UTC().Format("15:04:05")),
		}
		shorter := append([]release.Event{}, record.Timeline[:from]...)
		record.Timeline = append(append(shorter, gap), record.Timeline[to:]...)
	}
}
