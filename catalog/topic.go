package catalog

import "slices"

// Topic is a Kafka topic. Brokers do not create topics automatically, so each
// topic is declared here or by a stack.
type Topic struct {
	Name string
	// Owner is the service whose code names the topic.
	Owner string
}

// Topics returns the topics that the code uses at commit 94b91e29, by owner.
func Topics() []Topic {
	var topics []Topic
	for _, owned := range []struct {
		owner string
		names []string
	}{
		{"auth", []string{"auth-events", "auth-events.dlq"}},
		{"user", []string{"events", "cdc.posts", "cdc.follows", "cdc.comments", "cdc.likes", "social.events", "social.events.dlq"}},
		{"feed", []string{"recommendations.model_updates", "recommendations.feedback", "experiments.config"}},
		{"search", []string{"message_persisted", "message_deleted"}},
		{"streaming", []string{"stream_events"}},
		{"notification", []string{"MessageCreated", "FollowAdded", "CommentCreated", "PostLiked", "ReplyLiked"}},
		{"events", []string{"nova-events-user", "nova-events-content", "nova-events-messaging", "nova-events-social", "nova-events-default"}},
	} {
		for _, name := range owned.names {
			topics = append(topics, Topic{Name: name, Owner: owned.owner})
		}
	}
	return topics
}

// TopicNames returns the names of Topics, in their order.
func TopicNames() []string {
	var names []string
	for _, t := range Topics() {
		names = append(names, t.Name)
	}
	return slices.Clip(names)
}

// ConsumerGroups returns the consumer groups of the code at commit 94b91e29, in
// the order of the services that join them.
func ConsumerGroups() []string {
	return []string{
		"nova-events-consumer-v1", "nova-cdc-consumer-v1", "social-graph-sync", // user
		"recommendation-service-group", // feed
		"nova-search-service",          // search
		"notifications-consumer",       // notification
	}
}
