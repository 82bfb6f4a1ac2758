package catalog

// Signed reports whether browsers reach the objects of the bucket by URLs that
// a service signs. At commit 94b91e29 user, media and messaging sign; cdn
// transfers the objects itself.
func (b Bucket) Signed() bool { return b != BucketCDN }

// BucketActions are the actions that services perform on the bucket's objects,
// without repetition.
func BucketActions(services []Service, bucket Bucket) []string {
	var actions []string
	for _, s := range services {
		for _, use := range s.Buckets {
			if use.Bucket == bucket {
				actions = append(actions, use.Actions...)
			}
		}
	}
	return sorted(actions)
}
