package random_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"golang.org/x/crypto/bcrypt"

	"nova.dev/infra/internal/plugin/random"
)

func urn(kind string) resource.URN {
	module := strings.ToLower(kind[:1]) + kind[1:]
	return resource.NewURN("test", "test", "", tokens.Type("random:index/"+module+":"+kind), "value")
}

func inputs(m map[string]any) resource.PropertyMap { return resource.NewPropertyMapFromMap(m) }

// check returns the failures as one text.
func check(t *testing.T, kind string, in resource.PropertyMap) string {
	t.Helper()
	u := urn(kind)
	checked, err := random.New(nil).Check(t.Context(), plugin.CheckRequest{URN: u, Type: u.Type(), News: in})
	if err != nil {
		return err.Error()
	}
	var texts []string
	for _, failure := range checked.Failures {
		texts = append(texts, string(failure.Property)+" "+failure.Reason)
	}
	return strings.Join(texts, "; ")
}

// draw creates a value and returns its state with secrets taken out.
func draw(t *testing.T, kind string, in map[string]any) (plugin.CreateResponse, map[string]any) {
	t.Helper()
	if failures := check(t, kind, inputs(in)); failures != "" {
		t.Fatal(failures)
	}
	u := urn(kind)
	created, err := random.New(nil).Create(t.Context(), plugin.CreateRequest{URN: u, Type: u.Type(), Properties: inputs(in)})
	if err != nil {
		t.Fatal(err)
	}
	plain := created.Properties.MapRepl(nil, func(v resource.PropertyValue) (any, bool) {
		if v.IsSecret() {
			return v.SecretValue().Element.V, true
		}
		return nil, false
	})
	return created, plain
}

func TestPassword_depends_on_its_inputs(t *testing.T) {
	for _, tc := range []struct {
		name  string
		in    map[string]any
		holds func(password string) bool
	}{
		{"it has the length", map[string]any{"length": 40}, func(p string) bool { return len(p) == 40 }},
		{"it can be digits only", map[string]any{"length": 20, "special": false, "upper": false, "lower": false},
			func(p string) bool { return strings.Trim(p, "0123456789") == "" }},
		{"number is the old name of numeric", map[string]any{"length": 200, "special": false, "number": false, "numeric": false},
			func(p string) bool { return !strings.ContainsAny(p, "0123456789") }},
		{"one of the two names is enough", map[string]any{"length": 200, "special": false, "number": false},
			func(p string) bool { return !strings.ContainsAny(p, "0123456789") }},
		{"other special characters", map[string]any{"length": 20, "upper": false, "lower": false, "numeric": false, "overrideSpecial": "_-"},
			func(p string) bool { return strings.Trim(p, "_-") == "" }},
		{"the least number of each class", map[string]any{"length": 8, "minUpper": 2, "minLower": 2, "minNumeric": 2, "minSpecial": 2},
			func(p string) bool {
				return count(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2 && count(p, "0123456789") == 2 && count(p, "!@#$%&*()-_=+[]{}<>:?") == 2
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 20 {
				if _, state := draw(t, "RandomPassword", tc.in); !tc.holds(state["result"].(string)) {
					t.Fatal("it does not hold")
				}
			}
		})
	}
}

func count(text, set string) int {
	n := 0
	for _, c := range text {
		if strings.ContainsRune(set, c) {
			n++
		}
	}
	return n
}

func TestPassword_state_has_the_form_of_the_plugin(t *testing.T) {
	created, state := draw(t, "RandomPassword", map[string]any{"length": 100, "keepers": map[string]any{"a": "1"}})
	if created.ID != "none" || state["id"] != "none" || state["__meta"] != `{"schema_version":"3"}` {
		t.Errorf("id %s, state id %v, meta %v", created.ID, state["id"], state["__meta"])
	}
	for _, name := range []resource.PropertyKey{"result", "bcryptHash"} {
		if !created.Properties[name].IsSecret() {
			t.Errorf("%s is not secret", name)
		}
	}
	password := state["result"].(string)
	if bcrypt.CompareHashAndPassword([]byte(state["bcryptHash"].(string)), []byte(password[:72])) != nil {
		t.Error("the hash is not that of the password")
	}
	for name, want := range map[string]any{
		"length": 100.0, "special": true, "upper": true, "lower": true, "numeric": true, "number": true,
		"minSpecial": 0.0, "minUpper": 0.0, "minLower": 0.0, "minNumeric": 0.0,
	} {
		if state[name] != want {
			t.Errorf("%s is %v, want %v", name, state[name], want)
		}
	}
}

func TestValues_depend_on_their_inputs(t *testing.T) {
	text, state := draw(t, "RandomString", map[string]any{"length": 12})
	if string(text.ID) != state["result"] || text.Properties["result"].IsSecret() || state["__meta"] != `{"schema_version":"2"}` {
		t.Errorf("a string is %v", text)
	}

	bytes, state := draw(t, "RandomBytes", map[string]any{"length": 33})
	fromBase64, err := base64.StdEncoding.DecodeString(state["base64"].(string))
	fromHex, hexErr := hex.DecodeString(state["hex"].(string))
	if err != nil || hexErr != nil || len(fromBase64) != 33 || string(fromBase64) != string(fromHex) ||
		!bytes.Properties["base64"].IsSecret() || !bytes.Properties["hex"].IsSecret() || bytes.ID != "none" {
		t.Error("the bytes do not fit together")
	}

	id, state := draw(t, "RandomId", map[string]any{"byteLength": 4, "prefix": "p-"})
	if state["b64Url"] != "p-"+string(id.ID) || len(state["hex"].(string)) != len("p-")+8 || !strings.HasPrefix(state["dec"].(string), "p-") {
		t.Errorf("an id is %v", state)
	}

	uuid, state := draw(t, "RandomUuid", map[string]any{})
	if string(uuid.ID) != state["result"] || len(uuid.ID) != 36 || uuid.ID[14] != '4' {
		t.Errorf("a uuid is %v", uuid.ID)
	}

	for range 50 {
		_, state := draw(t, "RandomInteger", map[string]any{"min": -1, "max": 1})
		if n := state["result"].(float64); n < -1 || n > 1 {
			t.Fatalf("%v is not between -1 and 1", n)
		}
	}
}

func TestValues_differ_from_each_other(t *testing.T) {
	seen := map[any]bool{}
	for range 100 {
		_, state := draw(t, "RandomUuid", map[string]any{})
		seen[state["result"]] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 are different", len(seen))
	}
}

func TestInputs_that_are_wrong_are_reported(t *testing.T) {
	for _, tc := range []struct {
		name, kind string
		in         map[string]any
		want       []string
	}{
		{"all mistakes together", "RandomPassword", map[string]any{"special": "yes", "size": 3},
			[]string{"length is required", "special must be true or false", "size is no input of this type; allowed are keepers, length"}},
		{"a length that is too small", "RandomPassword", map[string]any{"length": 3, "minUpper": 2, "minLower": 2},
			[]string{"length is 3, must be at least 4"}},
		{"no characters", "RandomString", map[string]any{"length": 3, "special": false, "upper": false, "lower": false, "numeric": false},
			[]string{"at least one of special, upper, lower and numeric"}},
		{"two names that differ", "RandomPassword", map[string]any{"length": 3, "numeric": true, "number": false},
			[]string{"is the old name of numeric"}},
		{"a broken number", "RandomBytes", map[string]any{"length": 1.5}, []string{"length must be a whole number"}},
		{"a keeper which is no string", "RandomUuid", map[string]any{"keepers": map[string]any{"a": 1}}, []string{"keepers must be a map of strings"}},
		{"an empty range", "RandomInteger", map[string]any{"min": 3, "max": 2}, []string{"max is 2, must be at least min, 3"}},
		{"a type that is not there", "RandomPet", map[string]any{}, []string{"has no type random:index/randomPet:RandomPet; it has"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := check(t, tc.kind, inputs(tc.in))
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q lacks %q", got, want)
				}
			}
		})
	}
}

func TestInputs_that_change_replace_the_value(t *testing.T) {
	for _, tc := range []struct {
		name          string
		before, after map[string]any
		replace       bool
	}{
		{"the same", map[string]any{"length": 8}, map[string]any{"length": 8}, false},
		{"a default which is written out", map[string]any{"length": 8}, map[string]any{"length": 8, "special": true, "minUpper": 0}, false},
		{"another length", map[string]any{"length": 8}, map[string]any{"length": 9}, true},
		{"a keeper", map[string]any{"length": 8}, map[string]any{"length": 8, "keepers": map[string]any{"a": "1"}}, true},
		{"another keeper", map[string]any{"length": 8, "keepers": map[string]any{"a": "1"}},
			map[string]any{"length": 8, "keepers": map[string]any{"a": "2"}}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := urn("RandomPassword")
			diff, err := random.New(nil).Diff(t.Context(), plugin.DiffRequest{
				URN: u, Type: u.Type(), OldInputs: inputs(tc.before), NewInputs: inputs(tc.after),
			})
			if err != nil || diff.Replace() != tc.replace || (diff.Changes == plugin.DiffSome) != tc.replace {
				t.Errorf("diff %+v, error %v", diff, err)
			}
		})
	}
}

func TestPreview_draws_nothing(t *testing.T) {
	u := urn("RandomPassword")
	created, err := random.New(nil).Create(t.Context(), plugin.CreateRequest{
		URN: u, Type: u.Type(), Properties: inputs(map[string]any{"length": 8}), Preview: true,
	})
	if err != nil || !created.Properties["result"].ContainsUnknowns() || !created.Properties["result"].ContainsSecrets() {
		t.Errorf("the preview answers %v, %v", created.Properties, err)
	}
}
