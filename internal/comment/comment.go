// Package comment keeps one comment on a pull or merge request: it finds the
// comment by a marker and updates it in place.
package comment

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Target is where the comment is kept.
type Target struct {
	// Host is "github" or "gitlab".
	Host string
	// API is the URL of the host's API, such as https://api.github.com or
	// https://gitlab.example.com/api/v4.
	API string
	// Repository is owner/name, on GitLab also the number of the project.
	Repository string
	// Number of the pull request, on GitLab of the merge request in its project.
	Number int
	// Token is sent to the API. It is in no error.
	Token string
}

// Outcome says what Keep has done.
type Outcome string

// The outcomes.
const (
	Created Outcome = "created"
	Updated Outcome = "updated"
	Same    Outcome = "unchanged"
)

// timeout is how long one request may take.
const timeout = 30 * time.Second

// thread are the comments of one pull request.
type thread interface {
	// list calls found with each comment, oldest first.
	list(ctx context.Context, found func(id int64, body string)) error
	create(ctx context.Context, body string) (url string, err error)
	edit(ctx context.Context, id int64, body string) (url string, err error)
}

// Keep makes the newest comment that begins with the marker be the body, which
// begins with it, too, and creates it where there is none. The URL is that of the
// comment, empty where the host does not tell.
func Keep(ctx context.Context, t Target, marker, body string) (Outcome, string, error) {
	comments, err := open(t)
	if err != nil {
		return "", "", err
	}
	outcome, url, err := keep(ctx, comments, marker, body)
	if err != nil {
		return "", "", fmt.Errorf("comment on %s %d of %s at %s: %w", request(t.Host), t.Number, t.Repository, t.API, err)
	}
	return outcome, url, nil
}

func request(host string) string {
	if host == gitlabHost {
		return "merge request"
	}
	return "pull request"
}

func open(t Target) (thread, error) {
	client := &http.Client{Timeout: timeout}
	switch t.Host {
	case githubHost:
		return openGitHub(client, t)
	case gitlabHost:
		return openGitLab(client, t)
	}
	return nil, fmt.Errorf("comments on %q are not supported; supported: %s, %s", t.Host, githubHost, gitlabHost)
}

func keep(ctx context.Context, comments thread, marker, body string) (Outcome, string, error) {
	var id int64
	var existing string
	err := comments.list(ctx, func(each int64, text string) {
		if strings.HasPrefix(text, marker) {
			id, existing = each, text
		}
	})
	switch {
	case err != nil:
		return "", "", err
	case id == 0:
		url, err := comments.create(ctx, body)
		return Created, url, err
	case same(existing, body):
		return Same, "", nil
	}
	url, err := comments.edit(ctx, id, body)
	return Updated, url, err
}

// same compares as hosts store texts: with other line breaks, and without blanks
// at the end.
func same(a, b string) bool {
	plain := func(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) }
	return plain(a) == plain(b)
}
