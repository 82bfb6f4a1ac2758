// Package iampolicy writes the policy documents of Nova's AWS account: who may
// take on a role, what a role may do to objects, and what a bucket refuses. It
// is pure data; a document that grants more than it should cannot be written.
package iampolicy
