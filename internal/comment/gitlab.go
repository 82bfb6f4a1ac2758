package comment

import (
	"context"
	"fmt"
	"net/http"

	gitlab "gitlab.com/gitlab-org/api/client-go"
)

const gitlabHost = "gitlab"

type gitlabThread struct {
	notes   gitlab.NotesServiceInterface
	project string
	number  int64
}

// retries is how often the client repeats a request that the server could not
// answer.
const retries = 2

func openGitLab(client *http.Client, t Target) (thread, error) {
	api, err := gitlab.NewClient(t.Token, gitlab.WithBaseURL(t.API), gitlab.WithHTTPClient(client), gitlab.WithCustomRetryMax(retries))
	if err != nil {
		return nil, fmt.Errorf("the URL of the API: %w", err)
	}
	return &gitlabThread{api.Notes, t.Repository, int64(t.Number)}, nil
}

func (g *gitlabThread) list(ctx context.Context, found func(int64, string)) error {
	options := &gitlab.ListMergeRequestNotesOptions{
		ListOptions: gitlab.ListOptions{PerPage: pageSize}, OrderBy: gitlab.Ptr("created_at"), Sort: gitlab.Ptr("asc"),
	}
	for {
		notes, response, err := g.notes.ListMergeRequestNotes(g.project, g.number, options, gitlab.WithContext(ctx))
		if err != nil {
			return err
		}
		for _, n := range notes {
			found(n.ID, n.Body)
		}
		if response.NextPage == 0 {
			return nil
		}
		options.Page = response.NextPage
	}
}

func (g *gitlabThread) create(ctx context.Context, body string) (string, error) {
	_, _, err := g.notes.CreateMergeRequestNote(g.project, g.number, &gitlab.CreateMergeRequestNoteOptions{Body: &body}, gitlab.WithContext(ctx))
	return "", err
}

func (g *gitlabThread) edit(ctx context.Context, id int64, body string) (string, error) {
	_, _, err := g.notes.UpdateMergeRequestNote(g.project, g.number, id, &gitlab.UpdateMergeRequestNoteOptions{Body: &body}, gitlab.WithContext(ctx))
	return "", err
}
