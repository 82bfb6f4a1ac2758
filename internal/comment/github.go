package comment

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v82/github"
)

const githubHost = "github"

type githubThread struct {
	issues      *github.IssuesService
	owner, name string
	number      int
}

func openGitHub(client *http.Client, t Target) (thread, error) {
	owner, name, ok := strings.Cut(t.Repository, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("repository %q: want owner/name", t.Repository)
	}
	base, err := url.Parse(strings.TrimSuffix(t.API, "/") + "/")
	if err != nil {
		return nil, fmt.Errorf("the URL of the API: %w", err)
	}
	api := github.NewClient(client).WithAuthToken(t.Token)
	api.BaseURL = base
	return &githubThread{api.Issues, owner, name, t.Number}, nil
}

// pageSize is the largest that both hosts allow.
const pageSize = 100

func (g *githubThread) list(ctx context.Context, found func(int64, string)) error {
	options := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: pageSize}}
	for {
		comments, response, err := g.issues.ListComments(ctx, g.owner, g.name, g.number, options)
		if err != nil {
			return err
		}
		for _, c := range comments {
			found(c.GetID(), c.GetBody())
		}
		if response.NextPage == 0 {
			return nil
		}
		options.Page = response.NextPage
	}
}

func (g *githubThread) create(ctx context.Context, body string) (string, error) {
	made, _, err := g.issues.CreateComment(ctx, g.owner, g.name, g.number, &github.IssueComment{Body: &body})
	return made.GetHTMLURL(), err
}

func (g *githubThread) edit(ctx context.Context, id int64, body string) (string, error) {
	edited, _, err := g.issues.EditComment(ctx, g.owner, g.name, id, &github.IssueComment{Body: &body})
	return edited.GetHTMLURL(), err
}
