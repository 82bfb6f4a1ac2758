package image

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
)

// SourceLabels are the labels of a folder from Git: commit, the commit's time
// and the repository's URL. A folder outside Git has none. A commit with
// changes on top is marked "-dirty".
func SourceLabels(ctx context.Context, root string) Labels {
	git := func(args ...string) string {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...)
		out, err := cmd.Output()
		if err != nil {
			return ""
		}
		return string(bytes.TrimSpace(out))
	}
	revision := git("rev-parse", "--verify", "HEAD")
	if revision == "" {
		return Labels{}
	}
	if git("status", "--porcelain", "--untracked-files=normal") != "" {
		revision += "-dirty"
	}
	return Labels{
		Revision: revision,
		Created:  git("show", "--no-patch", "--format=%cI", "HEAD"),
		Source:   withoutCredentials(git("remote", "get-url", "origin")),
	}
}

// withoutCredentials drops the user information of a URL: a label is public.
func withoutCredentials(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	host, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(host, "@"); at >= 0 {
		host = host[at+1:]
	}
	return scheme + "://" + host + "/" + path
}
