// Package terminal keeps linked libraries from querying the terminal for its
// colors before main starts.
//
// Pulumi's SDK links github.com/charmbracelet/bubbletea v1, whose initialization
// asks the terminal for its background color and waits 5 s where none answers.
// The query is skipped where CI is set, so this package sets CI until [Restore].
// Go initializes packages in the order of their import paths, each after its own
// imports: this package imports os alone, therefore it comes before text/template,
// which the library that asks imports.
package terminal

import "os"

const variable = "CI"

var value, present = os.LookupEnv(variable)

func init() {
	if value == "" {
		os.Setenv(variable, "true")
	}
}

// Restore gives the environment back as the process got it. The init function of
// package main calls it: every other package has been initialized by then.
func Restore() {
	if present {
		os.Setenv(variable, value)
	} else {
		os.Unsetenv(variable)
	}
}
