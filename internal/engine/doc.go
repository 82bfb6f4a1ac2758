// Package engine runs the platform program through the Pulumi engine: it
// manages the workspace, the state backend, the passphrase and the providers of
// a stack, and converts the engine's events into changes and progress.
package engine
