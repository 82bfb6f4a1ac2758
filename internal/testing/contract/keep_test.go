package contract

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// objects is a store of objects that refuses one and forgets another.
type objects struct {
	mu                 sync.Mutex
	all                map[string]string
	refused, forgotten string
}

func (o *objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := path.Base(r.URL.Path)
	if r.Method == http.MethodPut {
		if name == o.refused {
			http.Error(w, "full", http.StatusInsufficientStorage)
			return
		}
		content, _ := io.ReadAll(r.Body)
		if name != o.forgotten {
			o.all[r.URL.Path] = string(content)
		}
		return
	}
	content, found := o.all[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	_, _ = io.WriteString(w, content)
}

func TestKeep_names_acknowledged_records_that_are_missing(t *testing.T) {
	server := httptest.NewServer(&objects{all: map[string]string{}, refused: "5", forgotten: "3"})
	defer server.Close()
	t.Setenv("S3_ENDPOINT", server.URL)
	t.Setenv("S3_BUCKET", "b")
	var said strings.Builder
	result, err := Keep{Target: "env:S3", Rate: 1000, Count: 8, Size: 100, Patience: 5 * time.Second}.Run(t.Context(), &said)
	require.NoError(t, err)
	assert.Equal(t, 7, result.Acknowledged)
	assert.Equal(t, []int{3}, result.Missing)
	assert.Equal(t, map[string]int{"507 Insufficient Storage": 1}, result.Refused)
	assert.Equal(t, "refused: 507 Insufficient Storage\n", said.String())
}

func TestKeep_ends_where_nothing_can_be_read(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			if path.Base(r.URL.Path) != "0" {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	t.Setenv("S3_ENDPOINT", server.URL)
	t.Setenv("S3_BUCKET", "b")
	_, err := Keep{Target: "env:S3", Rate: 1000, Count: 2, Size: 1, Patience: time.Second}.Run(t.Context(), io.Discard)
	assert.ErrorContains(t, err, "record 1 could not be read within 1s")
}

func TestKeep_refuses_what_it_does_not_know(t *testing.T) {
	_, err := Keep{Target: "env:OTHER", Rate: 1, Size: 1, Patience: time.Second}.Run(t.Context(), io.Discard)
	assert.ErrorContains(t, err, "allowed: env:DATABASE_URL")
}

func TestBodies_differ(t *testing.T) {
	assert.Len(t, body(1, 512), 512)
	assert.NotEqual(t, body(1, 512), body(2, 512))
	assert.Equal(t, body(7, 64), body(7, 64))
}
