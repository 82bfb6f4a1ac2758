package stack

import (
	"fmt"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// Store is a store of the stack: one that it runs itself, or an external one.
type Store struct {
	catalog.Store
	// Spec is its configuration.
	Spec config.Store
	// InCluster is set when the stack runs it.
	InCluster bool
	// Replicas is how many pods it has where the stack runs it.
	Replicas int
	// Endpoint is where it answers. Buckets in an AWS account have none of
	// their own.
	Endpoint catalog.Endpoint
	// Login and PreviousLogin are the names under which services log in where
	// the stack runs it: the current one and the one before the last rotation
	// of the password. Both work, so pods that still have the old password go
	// on. They are empty where services give no name.
	Login, PreviousLogin string
}

// Store returns a store by its system.
func (s *Stack) Store(kind catalog.StoreKind) Store {
	for _, store := range s.Stores {
		if store.Kind == kind {
			return store
		}
	}
	return Store{}
}

func (s *Stack) stores() []Store {
	var all []Store
	for _, kind := range catalog.StoreKinds() {
		store := Store{
			Store:     catalog.FindStore(kind),
			Spec:      s.StoreSpec(kind),
			InCluster: s.InCluster(kind),
			Replicas:  s.StoreReplicas(kind),
		}
		if store.Exporter != nil {
			exporter := *store.Exporter
			exporter.Image = s.ImageReference(exporter.Name)
			store.Exporter = &exporter
		}
		store.Endpoint = catalog.Endpoint{Host: store.Spec.Host, Port: store.Spec.Port, TLS: store.Spec.TLS}
		if store.InCluster {
			store.Endpoint = catalog.Endpoint{Host: s.Host(store.Name), Port: store.Port}
		}
		switch kind {
		case catalog.Postgres:
			s.logIn(&store, s.Dependencies.Postgres.Database, s.Dependencies.Postgres.User)
		case catalog.ClickHouse:
			s.logIn(&store, s.Dependencies.ClickHouse.Database, s.Dependencies.ClickHouse.User)
		}
		all = append(all, store)
	}
	return all
}

// Buckets are the buckets of the stack: those of the services, whichever are
// enabled, and that of backups where the stack makes any.
func (s *Stack) Buckets() []catalog.Bucket {
	buckets := catalog.Buckets()
	if s.BacksUpPostgres() {
		buckets = append(buckets, catalog.BucketBackups)
	}
	return buckets
}

// Host is the name under which a workload of a name is reached.
func (s *Stack) Host(name string) string {
	if s.Compose {
		return name
	}
	return fmt.Sprintf("%s.%s.svc.cluster.local", name, s.Namespace)
}

// logIn fills in the database and the names under which services log in.
func (s *Stack) logIn(store *Store, database, user string) {
	store.Endpoint.Database, store.Endpoint.User = database, user
	store.Login, store.PreviousLogin = logins(user, s.SecretSources.Rotation[passwordOf[store.Kind]])
	if store.InCluster {
		store.Endpoint.User = store.Login
	}
}

// logins are the current and the previous of the two names of a user, which
// change places with every rotation of the password.
func logins(user string, rotations int) (current, previous string) {
	a, b := user+"_a", user+"_b"
	if rotations%2 == 0 {
		return a, b
	}
	return b, a
}

// KafkaTopics returns the topics of the catalogue and of the stack, complete.
func (s *Stack) KafkaTopics() []config.Topic {
	var topics []config.Topic
	for _, name := range catalog.TopicNames() {
		topics = append(topics, config.Topic{Name: name})
	}
	topics = append(topics, s.Dependencies.Kafka.Topics...)
	for i := range topics {
		if topics[i].Partitions == 0 {
			topics[i].Partitions = s.Dependencies.Kafka.Partitions
		}
		if topics[i].RetentionHours == 0 {
			topics[i].RetentionHours = s.Dependencies.Kafka.RetentionHours
		}
	}
	return topics
}
