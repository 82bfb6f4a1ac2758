package catalog

// Signed reports whether browsers reach the objects of the bucket by URLs that
// a service signs. At commit 94b91e29 user, media and messaging sign; cdn
// transfers the objects itself.
func (b Bucket) Signed() bool { return b != BucketCDN && b != BucketBackups }

// PublicKeys returns the pattern of the keys of the bucket's objects that anybody
// may read through the CDN, after the keys that the code makes at commit 94b91e29:
// posts/<post>/<size>.jpg of user, uploads/<upload>/<file> of media, and
// <user>/<asset>/<file> of cdn. It is empty for a private bucket: messaging stores
// the voice messages of conversations.
func (b Bucket) PublicKeys() string {
	switch b {
	case BucketMedia:
		return "posts/*"
	case BucketUploads:
		return "uploads/*"
	case BucketCDN:
		return "*"
	}
	return ""
}

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
