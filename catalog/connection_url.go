package catalog

import "net/url"

// ConnectionURL is a secret that is composed of an endpoint and a password.
type ConnectionURL struct {
	// Key and Password are keys of secrets: of the URL and of its password.
	Key, Password string
	// Base is the URL without its password.
	Base url.URL
}

// With completes the URL with a password.
func (u ConnectionURL) With(password string) string {
	complete := u.Base
	complete.User = url.UserPassword(u.Base.User.Username(), password)
	return complete.String()
}

// ConnectionURLs returns the URLs under which the services reach PostgreSQL and
// Redis.
func (e Environment) ConnectionURLs() []ConnectionURL {
	postgres, redis := e.Endpoints[Postgres], e.Endpoints[Redis]
	database := url.URL{Scheme: "postgresql", User: url.User(postgres.User), Host: postgres.Address(), Path: "/" + postgres.Database}
	if postgres.TLS {
		database.RawQuery = "sslmode=require"
	}
	cache := url.URL{Scheme: "redis", User: url.User(""), Host: redis.Address()}
	if redis.TLS {
		cache.Scheme = "rediss"
	}
	return []ConnectionURL{
		{"DATABASE_URL", "POSTGRES_PASSWORD", database},
		{"REDIS_URL", "REDIS_PASSWORD", cache},
	}
}
