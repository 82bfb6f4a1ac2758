package contract

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

const (
	// storeTimeout bounds one question to a store. It is below the 3 s that a
	// probe waits.
	storeTimeout = 2 * time.Second
	// storeInterval is how long an answer of a store counts, so that probes do
	// not become load.
	storeInterval = time.Second
)

// stores are the connections to the stores on which readiness depends, held open
// as the services hold theirs.
type stores struct {
	postgres *pgxpool.Pool
	redis    *redis.Client

	mu      sync.Mutex
	checked time.Time
	last    error
}

func newStores() (*stores, error) {
	s := &stores{}
	if env("CONTRACT_STORES") == "none" {
		return s, nil
	}
	if url := os.Getenv("DATABASE_URL"); url != "" {
		config, err := pgxpool.ParseConfig(url)
		if err != nil {
			return nil, errors.New("DATABASE_URL is not a PostgreSQL URL") // Its text has a password.
		}
		config.MaxConns = 2
		if s.postgres, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
			return nil, fmt.Errorf("PostgreSQL: %w", err)
		}
	}
	if url := os.Getenv("REDIS_URL"); url != "" {
		options, err := redis.ParseURL(url)
		if err != nil {
			return nil, errors.New("REDIS_URL is not a Redis URL")
		}
		options.PoolSize = 2
		s.redis = redis.NewClient(options)
	}
	return s, nil
}

// check returns which store does not answer, as of at most a second ago.
func (s *stores) check(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.checked) < storeInterval {
		return s.last
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	s.last = nil
	if s.postgres != nil {
		if err := s.postgres.Ping(ctx); err != nil {
			s.last = fmt.Errorf("ping PostgreSQL: %w", err)
		}
	}
	if s.redis != nil && s.last == nil {
		if err := s.redis.Ping(ctx).Err(); err != nil {
			s.last = fmt.Errorf("ping Redis: %w", err)
		}
	}
	s.checked = time.Now()
	return s.last
}

func (s *stores) close() {
	if s.postgres != nil {
		s.postgres.Close()
	}
	if s.redis != nil {
		_ = s.redis.Close()
	}
}
