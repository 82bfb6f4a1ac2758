package compose

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/envfile"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
)

// exampleName is the file that explains every variable.
const exampleName = ".env.example"

// profilesVariable is read by Docker Compose itself.
const profilesVariable = "COMPOSE_PROFILES"

// entry is one variable of an env file.
type entry struct {
	key, value string
	// about are the lines of its comment.
	about []string
}

// section are the variables under one heading.
type section struct {
	title   string
	entries []entry
}

// Example returns .env.example: every variable with its value for Docker
// Compose, and every secret without one, so that Compose refuses to start until
// they are filled in. Comments show how the stacks differ on their clusters.
func Example(c *stack.Stack, stacks []*stack.Stack) (map[string][]byte, error) {
	stacks = slices.Clone(stacks)
	slices.SortStableFunc(stacks, func(a, b *stack.Stack) int { return cmp.Compare(rank(a), rank(b)) })
	local, err := c.Local()
	if err != nil {
		return nil, err
	}
	text := envText(local, stacks, append([]string{
		"Every variable of Nova, with the values that Docker Compose uses for stack " + c.Stack + ".",
		"",
		"`nova env init --stack " + c.Stack + "` writes a .env like this one with secrets of its own. By hand:",
		"copy this file to .env, fill in what is empty and not optional, remove what stays empty (to the",
		"code an empty text is a value), and chmod 600 .env.",
		"What differs between the stacks is said as they have it in their clusters.",
		"",
	}, wrap("Not here, because the compose file gives each container its own: "+strings.Join(perContainer(local), ", ")+".")...), nil)
	return map[string][]byte{exampleName: text}, nil
}

// rank orders stacks from development to production.
func rank(c *stack.Stack) int { return slices.Index(config.KnownEnvironments(), c.Environment) }

// perContainer are the variables of containers that are not in the catalogue:
// every container has its own value of them.
func perContainer(c *stack.Stack) []string {
	names := map[string]bool{}
	for _, w := range workload.Of(workload.All(c), workload.Service) {
		for name, value := range w.Env {
			if _, shared := catalog.FindVariable(name); value.Config == "" && value.Secret == "" && !shared {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Notes are remarks about variables that no env file can carry, so that the
// compose file has their values.
func Notes(c *stack.Stack) []string {
	var notes []string
	for _, v := range catalog.Variables() {
		if _, err := envfile.Quote(c.Variables[v.Key]); err != nil {
			notes = append(notes, fmt.Sprintf("nova:variables.%s is written into %s and cannot be set in .env: it %v", v.Key, fileName, err))
		}
	}
	return notes
}

// envText writes an env file for a stack under Compose. secrets are values of
// secrets and of variables that belong to one, by key; nil writes an example. What
// has no value is commented out unless it is an example: to the code an empty
// text is a value.
func envText(c *stack.Stack, stacks []*stack.Stack, header []string, secrets map[string]string) []byte {
	var text strings.Builder
	comment := func(line string) {
		text.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	text.WriteString(Notice(c))
	text.WriteString("#\n")
	for _, line := range header {
		comment(line)
	}
	for _, s := range sections(c, stacks, secrets) {
		fmt.Fprintf(&text, "\n# --- %s ---\n", s.title)
		for _, e := range s.entries {
			text.WriteString("\n")
			for _, line := range e.about {
				comment(line)
			}
			quoted, err := envfile.Quote(e.value)
			switch {
			case err != nil:
				comment(e.key + " is not set here: its value is in docker-compose.yml, which can carry it.")
				continue
			case e.value == "" && secrets != nil:
				text.WriteString("# ")
			}
			fmt.Fprintf(&text, "%s=%s\n", e.key, quoted)
		}
	}
	return []byte(text.String())
}

// sections are all variables and secrets under the catalogue's headings.
func sections(local *stack.Stack, stacks []*stack.Stack, secrets map[string]string) []section {
	all := []section{{title: "Docker Compose", entries: []entry{{
		key: profilesVariable, value: profileAll,
		about: wrap("What runs: \"all\", or names of services, each of which brings what it calls and needs. Add \"monitoring\" for Prometheus, Alertmanager, Grafana and exporters."),
	}}}}
	at := map[catalog.Group]int{}
	add := func(group catalog.Group, e entry) {
		i, known := at[group]
		if !known {
			i = len(all)
			at[group] = i
			all = append(all, section{title: string(group)})
		}
		all[i].entries = append(all[i].entries, e)
	}
	own := local.VariableValues()
	values := make([]map[string]string, len(stacks))
	for i, stack := range stacks {
		values[i] = stack.VariableValues()
	}
	for _, v := range catalog.Variables() {
		about := wrap(v.Doc)
		if v.Unread {
			about = append(about, "No service reads it.")
		}
		value := own[v.Key]
		if v.Key == config.PublicKeyVariable {
			value = secrets[v.Key]
		} else {
			about = append(about, differences(stacks, func(i int) string { return values[i][v.Key] })...)
		}
		add(v.Group, entry{v.Key, value, about})
	}
	for _, secret := range catalog.Secrets() {
		about := wrap("SECRET. " + secret.Doc)
		if secret.Optional {
			about = append(about, "Optional.")
		}
		if secret.Unread {
			about = append(about, "No service reads it.")
		}
		if form := form(local, secret); form != "" {
			about = append(about, wrap(form)...)
		}
		about = append(about, differences(stacks, func(i int) string { return string(stacks[i].Source(secret)) })...)
		add(secret.Group, entry{secret.Key, secrets[secret.Key], about})
	}
	return all
}

// passwordMark is the placeholder of a password that is filled in later. URL
// encoding does not change it.
const passwordMark = "password"

// form describes a secret's value, or how to generate one.
func form(local *stack.Stack, secret catalog.Secret) string {
	switch secret.Generate {
	case catalog.GeneratePassword:
		return "Letters and digits, 32 or more."
	case catalog.GenerateKey:
		return "openssl rand -base64 32"
	case catalog.GenerateRSA:
		return "In single quotes, over several lines: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072"
	case catalog.GenerateURL:
		for _, u := range local.CatalogEnvironment().ConnectionURLs() {
			if u.Key == secret.Key {
				return "Form: " + strings.Replace(u.With(passwordMark), passwordMark, "<"+u.Password+">", 1)
			}
		}
	}
	return ""
}

// differences lists the value in each stack, where they differ.
func differences(stacks []*stack.Stack, value func(i int) string) []string {
	byValue := map[string][]string{}
	var order []string
	for i, stack := range stacks {
		v := value(i)
		if strings.ContainsAny(v, "\n\r") {
			v = "(several lines)"
		}
		if _, seen := byValue[v]; !seen {
			order = append(order, v)
		}
		byValue[v] = append(byValue[v], stack.Stack)
	}
	if len(byValue) < 2 {
		return nil
	}
	var lines []string
	for _, v := range order {
		lines = append(lines, fmt.Sprintf("  in %s: %s", strings.Join(byValue[v], ", "), orNothing(v)))
	}
	return lines
}

func orNothing(text string) string {
	if text == "" {
		return "(empty)"
	}
	return text
}

// commentWidth is where comments of env files are wrapped.
const commentWidth = 78

func wrap(text string) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > commentWidth {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// Env returns the text of a .env file for the compose file of a stack, with new
// secrets. No two calls return the same.
func Env(c *stack.Stack) ([]byte, error) {
	local, err := c.Local()
	if err != nil {
		return nil, err
	}
	secrets, err := newSecretValues(local)
	if err != nil {
		return nil, err
	}
	text := envText(local, nil, []string{
		"The environment of docker-compose.yml, with secrets. Never commit it.",
		"`. ./.env` after `set -a` gives a shell the same variables.",
	}, secrets)
	// Parse the text again, so that a file which cannot be read back is never
	// written.
	read, err := envfile.Parse(text)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(secrets)) {
		if read[key] != secrets[key] {
			return nil, fmt.Errorf("%s cannot be written to an env file", key)
		}
	}
	return text, nil
}
