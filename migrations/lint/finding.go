package lint

import "fmt"

// Finding is one fault of one file.
type Finding struct {
	// File is the name of the file, Line counts from 1.
	File string `json:"file"`
	Line int    `json:"line"`
	Rule string `json:"rule"`
	// Message says what is wrong here, Why what comes of it and Fix how to write it
	// safely.
	Message string `json:"message"`
	Why     string `json:"why"`
	Fix     string `json:"fix"`
}

// String is the finding on one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.Message)
}
