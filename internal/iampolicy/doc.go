// Package iampolicy builds the policy documents of Nova's AWS account: the
// trust policies of roles, their permissions on objects, and the policies of
// buckets. It is pure data; a document that grants more than it should cannot
// be written.
package iampolicy
