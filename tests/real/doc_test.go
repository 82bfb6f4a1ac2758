// Package real tests what is promised about pods on pods that run.
//
// Its only needs are a kubeconfig and a way to load images. By default it starts
// a cluster of its own, once for all tests, with package realpods: on Linux, as
// root. Elsewhere, or with these set, it uses another one, such as one of kind or
// k3d:
//
//	NOVA_REAL_KUBECONFIG   the kubeconfig of a cluster with two nodes whose pods run
//	                       and which enforces network policies
//	NOVA_REAL_LOAD         the command that loads an archive of images into its
//	                       nodes, with {} for the archive, such as
//	                       "kind load image-archive {}" or "k3d image import {}"
//
// Where neither can be had, the tests are skipped and say what is missing.
package real
