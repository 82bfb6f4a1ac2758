// Package report writes the record of a release for people: as one HTML page that
// needs nothing else, and as a summary in Markdown for CI. It is pure: the same record
// gives the same bytes.
package report
