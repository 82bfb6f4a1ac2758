package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// plainSecrets looks for the values of secrets in all objects but Secrets.
func plainSecrets(s *subject, found func(object, message string)) {
	for _, o := range s.Objects {
		if o.GetKind() == "Secret" {
			continue
		}
		for _, path := range slices.Sorted(maps.Keys(texts("", o.Object))) {
			text := texts("", o.Object)[path]
			if slices.ContainsFunc(s.Secrets, func(secret string) bool { return secret != "" && strings.Contains(text, secret) }) {
				found(reference(o), path+" has the value of a secret")
			}
		}
	}
}

// texts are the texts of a tree by path.
func texts(path string, tree any) map[string]string {
	all := map[string]string{}
	switch t := tree.(type) {
	case string:
		all[path] = t
	case map[string]any:
		for key, each := range t {
			maps.Copy(all, texts(strings.TrimPrefix(path+"."+key, "."), each))
		}
	case []any:
		for i, each := range t {
			maps.Copy(all, texts(fmt.Sprintf("%s[%d]", path, i), each))
		}
	}
	return all
}

// statement is what is read of a statement of an IAM document. Each field is a
// text or a list of texts.
type statement struct {
	Effect                      string
	Action, Resource, Principal any
	Condition                   map[string]any
}

func iamWildcards(s *subject, found func(object, message string)) {
	for _, r := range s.Resources {
		name := r.Type + " " + r.Name
		for _, text := range r.Documents {
			var document struct{ Statement []statement }
			if err := json.Unmarshal([]byte(text), &document); err != nil {
				found(name, "its document cannot be read: "+err.Error())
				continue
			}
			for _, st := range document.Statement {
				if st.Effect == "Allow" {
					st.judge(func(message string) { found(name, message) })
				}
			}
		}
	}
}

func (st statement) judge(found func(message string)) {
	for _, action := range listOf(st.Action) {
		if strings.Contains(action, "*") {
			found(fmt.Sprintf("allows action %s", action))
		}
	}
	for _, resource := range listOf(st.Resource) {
		if resource == "*" && len(st.Condition) == 0 {
			found("allows every resource")
		}
	}
	if slices.Contains(listOf(st.Principal), "*") && len(st.Condition) == 0 {
		found("allows everybody")
	}
}

// listOf are the texts of a field: one, a list, or by kind of principal.
func listOf(field any) []string {
	switch f := field.(type) {
	case string:
		return []string{f}
	case []any:
		var all []string
		for _, each := range f {
			all = append(all, listOf(each)...)
		}
		return all
	case map[string]any:
		var all []string
		for _, each := range f {
			all = append(all, listOf(each)...)
		}
		return all
	}
	return nil
}

func protections(s *subject, found func(object, message string)) {
	if !s.Protected {
		return
	}
	for _, p := range s.Protections {
		if !p.Protected {
			found(p.Type+" "+p.Name, "is not protected against deletion")
		}
		if !p.Retained {
			found(p.Type+" "+p.Name, "is deleted when it leaves the program")
		}
	}
}

func ownLabels(s *subject, found func(object, message string)) {
	for _, o := range s.Objects {
		for _, label := range []string{"name", "part-of", "managed-by"} {
			if o.GetLabels()["app.kubernetes.io/"+label] == "" {
				found(reference(o), "has no label app.kubernetes.io/"+label)
			}
		}
	}
}
