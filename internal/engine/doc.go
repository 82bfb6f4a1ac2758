// Package engine runs the platform program through the Pulumi engine: it owns
// the workspace, the state backend, the passphrase and the providers of a
// stack, and turns the engine's events into changes and progress.
package engine
