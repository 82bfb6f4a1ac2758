package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/comment"
	"nova.dev/infra/internal/review"
)

// commentFlags are the flags of `nova preview comment`.
type commentFlags struct {
	host, repository, api, from, failOn string
	number                              int
}

func newPreviewCommentCommand(g *globals) *cobra.Command {
	var f commentFlags
	cmd := &cobra.Command{
		Use:   "comment",
		Short: "Keep a comment with the preview on a pull request",
		Long: `Preview the stacks that --stack names, and keep one comment about them on a pull
request of GitHub or a merge request of GitLab: the comment is made once, and later
updated in place. Nothing is posted where it already says the same.

In GitHub Actions and GitLab CI the host, repository, number and URL of the API come
from the environment. The token comes from there in any case: GITHUB_TOKEN (it may
write to pull requests) or GITLAB_TOKEN (scope api).

--from posts a comment that ` + "`nova preview --format markdown`" + ` has written, so that the
job with the token needs no access to a cluster.

Exit code 1 if the comment cannot be posted or a preview failed, which the comment
says; 3 if a preview was refused, or by --fail-on.`,
		Example: `  nova preview comment --stack staging,prod
  nova preview comment --from preview.md --host github --repository acme/nova --number 7`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	checks := []func() error{
		choiceFlag(cmd, &f.host, "host", "", "host (default: that of the CI job, or github)", []string{string(review.GitHub), string(review.GitLab)}),
		choiceFlag(cmd, &f.failOn, "fail-on", "", "exit with code 3 from this class of risk on", texts(change.Risks())),
	}
	flags.StringVar(&f.repository, "repository", "", "owner/name of the repository (default: that of the CI job)")
	flags.IntVar(&f.number, "number", 0, "number of the pull or merge request (default: that of the CI job)")
	flags.StringVar(&f.api, "api", "", "URL of the host's API (default: that of the CI job, or of the public host)")
	flags.StringVar(&f.from, "from", "", "post this file in place of a new preview")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var wrong []error
		for _, check := range checks {
			wrong = append(wrong, check())
		}
		if f.from != "" && f.failOn != "" {
			wrong = append(wrong, usageError{errors.New("--fail-on: not with --from, which has no preview to judge")})
		}
		if err := errors.Join(wrong...); err != nil {
			return err
		}
		target, err := f.target(os.Getenv)
		if err != nil {
			return err
		}
		marker, text, all, failed := g.commentText(cmd, f, review.Host(target.Host))
		if text == "" {
			return failed
		}
		outcome, at, err := comment.Keep(cmd.Context(), target, marker, text)
		if err == nil {
			fmt.Fprintln(g.out, strings.TrimSpace(fmt.Sprintf("comment %s %s", outcome, at)))
		}
		return errors.Join(failed, err, refuseFrom(change.Risk(f.failOn), all))
	}
	return cmd
}

// commentText is the text to post, of a file or of new previews, with its marker.
// It is empty if there is nothing to post.
func (g *globals) commentText(cmd *cobra.Command, f commentFlags, host review.Host) (marker, text string, all []review.Preview, err error) {
	if f.from == "" {
		if all, err = g.previews(cmd, func(review.Preview) {}); len(all) == 0 {
			return "", "", nil, err
		}
		text = review.Comment(all, host)
	} else {
		read, err := os.ReadFile(f.from)
		if err != nil {
			return "", "", nil, usageError{fmt.Errorf("--from: %w", err)}
		}
		text = string(read)
	}
	marker, _, _ = strings.Cut(text, "\n")
	if marker = strings.TrimSpace(marker); !review.IsMarker(marker) {
		return "", "", nil, usageError{fmt.Errorf("--from: %s is no comment of `nova preview --format markdown`: its first line is no marker", f.from)}
	}
	return marker, text, all, err
}

// ci are the variables of a host's CI jobs, and what holds without them.
type ci struct {
	job, repository, api, number, token string
	// numberIn finds the number in the variable for it.
	numberIn *regexp.Regexp
	public   string
}

var cis = map[review.Host]ci{
	review.GitHub: {
		job: "GITHUB_ACTIONS", repository: "GITHUB_REPOSITORY", api: "GITHUB_API_URL", number: "GITHUB_REF", token: "GITHUB_TOKEN",
		numberIn: regexp.MustCompile(`^refs/pull/(\d+)/`), public: "https://api.github.com",
	},
	review.GitLab: {
		job: "GITLAB_CI", repository: "CI_PROJECT_PATH", api: "CI_API_V4_URL", number: "CI_MERGE_REQUEST_IID", token: "GITLAB_TOKEN",
		numberIn: regexp.MustCompile(`^(\d+)$`), public: "https://gitlab.com/api/v4",
	},
}

// target is where the comment goes: by the flags, else by the environment. The
// error names everything that is missing.
func (f commentFlags) target(getenv func(string) string) (comment.Target, error) {
	host := review.Host(f.host)
	if host == "" {
		host = review.GitHub
		if getenv(cis[review.GitHub].job) == "" && getenv(cis[review.GitLab].job) != "" {
			host = review.GitLab
		}
	}
	from := cis[host]
	t := comment.Target{
		Host: string(host), Number: f.number, Token: getenv(from.token),
		Repository: cmp.Or(f.repository, getenv(from.repository)), API: cmp.Or(f.api, getenv(from.api), from.public),
	}
	if found := from.numberIn.FindStringSubmatch(getenv(from.number)); t.Number == 0 && found != nil {
		t.Number, _ = strconv.Atoi(found[1]) // The expression has digits only.
	}
	var wrong []error
	if t.Token == "" {
		wrong = append(wrong, fmt.Errorf("%s is not set: the token comes from the environment only", from.token))
	}
	if t.Repository == "" {
		wrong = append(wrong, fmt.Errorf("--repository: required, as %s is not set", from.repository))
	}
	if t.Number <= 0 {
		wrong = append(wrong, fmt.Errorf("--number: %d: required, a positive number, as %s names none", f.number, from.number))
	}
	if u, err := url.Parse(t.API); err != nil || !slices.Contains([]string{"http", "https"}, u.Scheme) || u.Host == "" {
		wrong = append(wrong, fmt.Errorf("--api: %q: want a URL such as %s", t.API, from.public))
	}
	if err := errors.Join(wrong...); err != nil {
		return t, usageError{err}
	}
	return t, nil
}
