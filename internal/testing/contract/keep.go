package contract

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

// Keep writes records to a store, one after another, and reads afterwards all
// whose writes the store has acknowledged.
type Keep struct {
	// Target is the store: env:DATABASE_URL, env:REDIS_URL or env:S3.
	Target string
	// Rate is the number of writes in a second, Count how many; 0 means until the
	// context ends. Size is that of a record in bytes.
	Rate, Count, Size int
	// Patience bounds the wait for the store to answer and the reading: a store
	// that has crashed comes back meanwhile.
	Patience time.Duration
}

// Kept is what became of the records.
type Kept struct {
	Acknowledged int `json:"acknowledged"`
	// Refused counts the writes that failed, by reason. Whether such a record is
	// there is not asked.
	Refused map[string]int `json:"refused,omitempty"`
	// Missing are the acknowledged records that are not there, or are not as they
	// were written.
	Missing []int `json:"missing,omitempty"`
	// Gap is the longest time between two acknowledged writes, in seconds.
	Gap float64 `json:"gapSeconds"`
}

// writeTimeout bounds one write or read.
const writeTimeout = 3 * time.Second

// keeper is a store that keeps records.
type keeper interface {
	write(ctx context.Context, id int, body string) error
	// read returns the body, which is empty where there is no such record.
	read(ctx context.Context, id int) (string, error)
	close()
}

// Run writes until ctx ends, says the first refusal on progress, and reads.
func (k Keep) Run(ctx context.Context, progress io.Writer) (Kept, error) {
	if k.Rate < 1 || k.Size < 1 {
		return Kept{}, fmt.Errorf("a rate and a size of at least 1 are needed, not %d and %d", k.Rate, k.Size)
	}
	// A network policy enforcer learns of a new pod a moment after its start.
	var store keeper
	err := await(ctx, k.Patience, func(ctx context.Context) (err error) {
		store, err = k.open(ctx)
		return err
	})
	if err != nil {
		return Kept{}, err
	}
	defer store.close()
	result := Kept{Refused: map[string]int{}}
	var acknowledged []int
	tick := time.NewTicker(time.Second / time.Duration(k.Rate))
	defer tick.Stop()
	last := time.Now()
	for id := 1; ctx.Err() == nil && (k.Count == 0 || id <= k.Count); id++ {
		// A write that is under way at the end is finished.
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
		err := store.write(one, id, body(id, k.Size))
		cancel()
		if err != nil {
			if len(result.Refused) == 0 {
				fmt.Fprintf(progress, "refused: %s\n", reason(err))
			}
			result.Refused[reason(err)]++
		} else {
			acknowledged = append(acknowledged, id)
			result.Gap = max(result.Gap, time.Since(last).Seconds())
			last = time.Now()
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	result.Acknowledged = len(acknowledged)
	result.Missing, err = k.missing(context.WithoutCancel(ctx), store, acknowledged)
	return result, err
}

// missing reads records, and tries again while the store does not answer.
func (k Keep) missing(ctx context.Context, store keeper, ids []int) ([]int, error) {
	ctx, cancel := context.WithTimeout(ctx, k.Patience)
	defer cancel()
	var missing []int
	for _, id := range ids {
		for {
			one, cancel := context.WithTimeout(ctx, writeTimeout)
			found, err := store.read(one, id)
			cancel()
			if err == nil {
				if found != body(id, k.Size) {
					missing = append(missing, id)
				}
				break
			}
			select {
			case <-ctx.Done():
				return missing, fmt.Errorf("record %d could not be read within %s: %w", id, k.Patience, err)
			case <-time.After(storeInterval / 2):
			}
		}
	}
	return missing, nil
}

// body is the text of a record, which nothing can compress much.
func body(id, size int) string {
	random := rand.New(rand.NewPCG(uint64(id), uint64(size)))
	text := make([]byte, size/2+1)
	for i := range text {
		text[i] = byte(random.Uint32())
	}
	return hex.EncodeToString(text)[:size]
}

// reason is an error without what differs from one to the next.
func reason(err error) string {
	var status statusError
	if errors.As(err, &status) {
		return status.status
	}
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return text
}

func (k Keep) open(ctx context.Context) (keeper, error) {
	// Records of another run are others.
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	switch k.Target {
	case "env:DATABASE_URL":
		return openPostgres(ctx, run)
	case "env:REDIS_URL":
		options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
		if err != nil {
			return nil, errors.New("REDIS_URL is not a Redis URL")
		}
		// A write that is sent twice would hide what became of the first.
		options.MaxRetries = -1
		return answers(ctx, keptInRedis{redis.NewClient(options), "contract:kept:" + run})
	case "env:S3":
		return answers(ctx, keptInS3{"contract-kept/" + run + "/"})
	}
	return nil, fmt.Errorf("%q is not known; allowed: env:DATABASE_URL, env:REDIS_URL, env:S3", k.Target)
}

// answers returns a store that can be read.
func answers(ctx context.Context, store keeper) (keeper, error) {
	if _, err := store.read(ctx, 0); err != nil {
		store.close()
		return nil, err
	}
	return store, nil
}

// keptInPostgres keeps records in a table.
type keptInPostgres struct {
	pool  *pgxpool.Pool
	table string
}

func openPostgres(ctx context.Context, run string) (keeper, error) {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, errors.New("DATABASE_URL is not a PostgreSQL URL") // Its text has a password.
	}
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	p := keptInPostgres{pool, pgx.Identifier{"contract_kept_" + run}.Sanitize()}
	if _, err := pool.Exec(ctx, "CREATE TABLE "+p.table+" (id bigint PRIMARY KEY, body text NOT NULL)"); err != nil {
		pool.Close()
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	return p, nil
}

func (p keptInPostgres) write(ctx context.Context, id int, body string) error {
	_, err := p.pool.Exec(ctx, "INSERT INTO "+p.table+" VALUES ($1, $2)", id, body)
	return err
}

func (p keptInPostgres) read(ctx context.Context, id int) (body string, err error) {
	err = p.pool.QueryRow(ctx, "SELECT body FROM "+p.table+" WHERE id = $1", id).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return body, err
}

func (p keptInPostgres) close() { p.pool.Close() }

// keptInRedis keeps records in a hash.
type keptInRedis struct {
	client *redis.Client
	key    string
}

func (r keptInRedis) write(ctx context.Context, id int, body string) error {
	return r.client.HSet(ctx, r.key, strconv.Itoa(id), body).Err()
}

func (r keptInRedis) read(ctx context.Context, id int) (string, error) {
	body, err := r.client.HGet(ctx, r.key, strconv.Itoa(id)).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return body, err
}

func (r keptInRedis) close() { _ = r.client.Close() }

// keptInS3 keeps records as objects below a prefix.
type keptInS3 struct{ prefix string }

func (s keptInS3) write(ctx context.Context, id int, body string) error {
	request, err := requestS3(ctx, http.MethodPut, s.prefix+strconv.Itoa(id), []byte(body))
	if err != nil {
		return err
	}
	_, err = send(request)
	return err
}

func (s keptInS3) read(ctx context.Context, id int) (string, error) {
	request, err := requestS3(ctx, http.MethodGet, s.prefix+strconv.Itoa(id), nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var content bytes.Buffer
	if _, err := content.ReadFrom(response.Body); err != nil {
		return "", err
	}
	switch response.StatusCode {
	case http.StatusOK:
		return content.String(), nil
	case http.StatusNotFound:
		return "", nil
	}
	return "", fmt.Errorf("status %d", response.StatusCode)
}

func (keptInS3) close() {}

func keepCommand(ctx context.Context, args []string, stdout, progress io.Writer) error {
	var keep Keep
	flags := flag.NewFlagSet("keep", flag.ContinueOnError)
	flags.StringVar(&keep.Target, "target", "", "env:DATABASE_URL, env:REDIS_URL or env:S3")
	flags.IntVar(&keep.Rate, "rate", 50, "writes in a second")
	flags.IntVar(&keep.Count, "count", 0, "number of writes; 0 means until it is told to stop")
	flags.IntVar(&keep.Size, "size", 512, "bytes of a record")
	flags.DurationVar(&keep.Patience, "patience", 5*time.Minute, "bound of the wait for an answer, and of the reading")
	if err := flags.Parse(args); err != nil {
		return err
	}
	result, err := keep.Run(ctx, progress)
	if err != nil {
		return err
	}
	slices.Sort(result.Missing)
	return writeJSON(stdout, result)
}
