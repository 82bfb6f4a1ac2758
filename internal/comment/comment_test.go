package comment

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	marker = "<!-- nova-preview prod -->"
	token  = "t0ken-of-the-test"
)

// server answers as a host does for the comments of one pull request.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	// requests are the methods in order.
	requests []string
	// status, if set, is the answer to everything.
	status int
}

// start serves a host whose comments are under the path list; one of them is
// edited with method under the path one. The token has to be in a header.
func start(t *testing.T, header, want, list, one, method string, bodies ...string) *server {
	t.Helper()
	s := &server{bodies: bodies}
	answer := func(w http.ResponseWriter, id int) {
		assert.NoError(t, json.NewEncoder(w).Encode(map[string]any{"id": id, "body": s.bodies[id-1], "html_url": fmt.Sprint("https://example.com/", id)}))
	}
	body := func(r *http.Request) string {
		var sent struct{ Body string }
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&sent))
		return sent.Body
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, r.Method)
		path := r.URL.EscapedPath()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case s.status != 0:
			w.WriteHeader(s.status)
			fmt.Fprint(w, `{"message": "no"}`)
		case r.Header.Get(header) != want:
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodGet && path == list:
			s.page(t, w, r)
		case r.Method == http.MethodPost && path == list:
			s.bodies = append(s.bodies, body(r))
			w.WriteHeader(http.StatusCreated)
			answer(w, len(s.bodies))
		case r.Method == method && strings.HasPrefix(path, one):
			id, err := strconv.Atoi(strings.TrimPrefix(path, one))
			if !assert.NoError(t, err) {
				return
			}
			s.bodies[id-1] = body(r)
			answer(w, id)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// page answers with 100 comments and where the next ones are.
func (s *server) page(t *testing.T, w http.ResponseWriter, r *http.Request) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	page = max(page, 1)
	var list []map[string]any
	for i := (page - 1) * 100; i < min(page*100, len(s.bodies)); i++ {
		list = append(list, map[string]any{"id": i + 1, "body": s.bodies[i]})
	}
	if page*100 < len(s.bodies) {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?page=%d>; rel="next"`, s.URL, r.URL.EscapedPath(), page+1))
		w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
	}
	assert.NoError(t, json.NewEncoder(w).Encode(list))
}

// hosts start a server of each host and name the target on it.
var hosts = map[string]func(t *testing.T, bodies ...string) (*server, Target){
	"github": func(t *testing.T, bodies ...string) (*server, Target) {
		s := start(t, "Authorization", "Bearer "+token, "/repos/acme/nova/issues/7/comments", "/repos/acme/nova/issues/comments/", http.MethodPatch, bodies...)
		return s, Target{Host: "github", API: s.URL, Repository: "acme/nova", Number: 7, Token: token}
	},
	"gitlab": func(t *testing.T, bodies ...string) (*server, Target) {
		const notes = "/api/v4/projects/acme%2Fgroup%2Fnova/merge_requests/7/notes"
		s := start(t, "Private-Token", token, notes, notes+"/", http.MethodPut, bodies...)
		return s, Target{Host: "gitlab", API: s.URL + "/api/v4", Repository: "acme/group/nova", Number: 7, Token: token}
	},
}

func TestKeep(t *testing.T) {
	body := marker + "\n**No changes**\n"
	for host, start := range hosts {
		t.Run("creates a comment on "+host, func(t *testing.T) {
			s, target := start(t, "of a person", "quoting "+marker)
			outcome, _, err := Keep(t.Context(), target, marker, body)
			require.NoError(t, err)
			assert.Equal(t, Created, outcome)
			assert.Equal(t, []string{"of a person", "quoting " + marker, body}, s.bodies)
		})
		t.Run("updates its comment in place on "+host, func(t *testing.T) {
			many := make([]string, 150)
			many[120] = marker + "\nold"
			s, target := start(t, many...)
			outcome, _, err := Keep(t.Context(), target, marker, body)
			require.NoError(t, err)
			assert.Equal(t, Updated, outcome)
			assert.Equal(t, body, s.bodies[120], "also on the second page")
			assert.Len(t, s.bodies, 150)
		})
		t.Run("posts nothing that is there on "+host, func(t *testing.T) {
			s, target := start(t, strings.ReplaceAll(strings.TrimSpace(body), "\n", "\r\n"))
			outcome, _, err := Keep(t.Context(), target, marker, body)
			require.NoError(t, err)
			assert.Equal(t, Same, outcome)
			assert.Equal(t, []string{http.MethodGet}, s.requests)
		})
		t.Run("fails without repeating the token on "+host, func(t *testing.T) {
			s, target := start(t)
			s.status = http.StatusForbidden
			_, _, err := Keep(t.Context(), target, marker, body)
			require.ErrorContains(t, err, "7 of "+target.Repository)
			assert.NotContains(t, err.Error(), token)
			assert.Equal(t, []string{http.MethodGet}, s.requests)
		})
	}
	t.Run("refuses other hosts and names", func(t *testing.T) {
		_, _, err := Keep(t.Context(), Target{Host: "bitbucket"}, marker, body)
		require.ErrorContains(t, err, `"bitbucket" are not supported; supported: github, gitlab`)
		_, _, err = Keep(t.Context(), Target{Host: "github", Repository: "nova"}, marker, body)
		require.ErrorContains(t, err, `repository "nova": want owner/name`)
	})
}
