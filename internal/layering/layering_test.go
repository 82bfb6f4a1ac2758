// Package layering holds the packages of this module to the directions in which
// they may import each other.
package layering

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	module  = "nova.dev/infra"
	root    = "../.."
	drawing = root + "/docs/PACKAGES.md"
)

var update = flag.Bool("update", false, "rewrite docs/PACKAGES.md")

// A graph is the packages of the module by their names.
type graph map[string]*node

// A node is one package: its files for all platforms, without tests.
type node struct {
	synopsis string
	own      map[string]bool // Imported packages of the module.
	others   map[string]bool // Imported packages of libraries, by their paths.
}

func TestLayering(t *testing.T) {
	packages, err := read(os.DirFS(root))
	require.NoError(t, err)
	require.Greater(t, len(packages), 20, "the tree is read")

	t.Run("every_import_is_allowed", func(t *testing.T) {
		found := violations(packages)
		for _, each := range slices.Sorted(maps.Keys(found)) {
			if !slices.Contains(exceptions, each) {
				t.Errorf("%s: %s; turn the import round, or change rules_test.go", each, found[each])
			}
		}
		for _, each := range exceptions {
			if _, needed := found[each]; !needed {
				t.Errorf("%s: the exception is not needed any more; remove it from rules_test.go", each)
			}
		}
	})
	t.Run("every_rule_has_a_package", func(t *testing.T) {
		for _, each := range rules {
			found := slices.ContainsFunc(slices.Collect(maps.Keys(packages)), func(name string) bool { return matches(each.packages, name) })
			assert.True(t, found, "%s: there is no such package; remove its rule", each.packages)
		}
	})
	t.Run("the_drawing_is_current", func(t *testing.T) {
		want := draw(packages)
		if *update {
			require.NoError(t, os.WriteFile(drawing, []byte(want), 0o644))
		}
		got, err := os.ReadFile(drawing)
		require.NoError(t, err)
		assert.Equal(t, want, string(got), "rewrite it with `go test ./internal/layering -update`")
	})
}

func TestRules(t *testing.T) {
	packages := func(imports map[string][]string) graph {
		g := graph{}
		for name, paths := range imports {
			g[name] = &node{own: map[string]bool{}, others: map[string]bool{}}
			for _, each := range paths {
				g[name].add(each)
			}
		}
		return g
	}
	for name, tc := range map[string]struct {
		imports map[string][]string
		want    []string
	}{
		"a_lower_package":        {map[string][]string{"internal/config": {module + "/catalog", "fmt", "gopkg.in/yaml.v3"}}, nil},
		"a_higher_package":       {map[string][]string{"catalog": {module + "/internal/config"}}, []string{"catalog -> internal/config"}},
		"a_sibling_of_a_subtree": {map[string][]string{"internal/config": {module + "/monitoring/slo", module + "/monitoring/rule"}}, []string{"internal/config -> monitoring/rule"}},
		"a_subtree":              {map[string][]string{"internal/stack": {module + "/monitoring", module + "/monitoring/rule"}}, nil},
		"the_cluster_in_engine":  {map[string][]string{"internal/engine": {module + "/internal/cluster"}}, []string{"internal/engine -> internal/cluster"}},
		"pulumi_in_a_pure_one":   {map[string][]string{"internal/stack": {"github.com/pulumi/pulumi/sdk/v3/go/pulumi"}}, []string{"internal/stack -> github.com/pulumi/pulumi/sdk/v3/go/pulumi"}},
		"the_automation_api":     {map[string][]string{"components": {"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"}}, []string{"components -> github.com/pulumi/pulumi/sdk/v3/go/auto/optup"}},
		"a_name_that_begins_so":  {map[string][]string{"catalog": {"github.com/pulumix/y"}}, nil},
		"a_package_with_no_rule": {map[string][]string{"internal/helpers": {}}, []string{"internal/helpers"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, slices.Sorted(maps.Keys(violations(packages(tc.imports)))))
		})
	}
}

// read parses the Go files of the module that lies in a file system. Modules and
// test data in it are left out.
func read(files fs.FS) (graph, error) {
	packages := graph{}
	return packages, fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name == "." {
				return nil
			}
			if strings.HasPrefix(entry.Name(), ".") || slices.Contains([]string{"bin", "testdata"}, entry.Name()) {
				return fs.SkipDir
			}
			if _, err := fs.Stat(files, path.Join(name, "go.mod")); err == nil {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		return packages.addFile(path.Dir(name), file)
	})
}

func (g graph) addFile(name string, file *ast.File) error {
	if g[name] == nil {
		g[name] = &node{own: map[string]bool{}, others: map[string]bool{}}
	}
	if file.Doc != nil {
		g[name].synopsis = new(doc.Package).Synopsis(file.Doc.Text())
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		g[name].add(imported)
	}
	return nil
}

func (n *node) add(imported string) {
	if name, own := strings.CutPrefix(imported, module+"/"); own {
		n.own[name] = true
	} else {
		n.others[imported] = true
	}
}

// matches reports whether a pattern of a rule means a package.
func matches(pattern, name string) bool {
	folder, all := strings.CutSuffix(pattern, "/...")
	return name == folder || all && strings.HasPrefix(name, folder+"/")
}

func ruleFor(name string) (rule, bool) {
	var best rule
	for _, each := range rules {
		if matches(each.packages, name) && len(each.packages) > len(best.packages) {
			best = each
		}
	}
	return best, best.packages != ""
}

// violations are the imports that no rule allows, as "package -> imported", with
// what is allowed; a package without a rule stands there by itself.
func violations(packages graph) map[string]string {
	found := map[string]string{}
	for name, node := range packages {
		allowed, ok := ruleFor(name)
		if !ok {
			found[name] = "has no rule"
			continue
		}
		for imported := range node.own {
			if !slices.ContainsFunc(allowed.imports, func(pattern string) bool { return matches(pattern, imported) }) {
				found[name+" -> "+imported] = "allowed are " + cmp.Or(strings.Join(allowed.imports, ", "), "none of this module")
			}
		}
		for imported := range node.others {
			for library, users := range libraries {
				if matches(library+"/...", imported) && !slices.ContainsFunc(users, func(pattern string) bool { return matches(pattern, name) }) {
					found[name+" -> "+imported] = library + " is for " + strings.Join(users, ", ")
				}
			}
		}
	}
	return found
}

// draw is the page that shows the packages and what they import.
func draw(packages graph) string {
	var page strings.Builder
	page.WriteString(`# Packages

Written by ` + "`go test ./internal/layering -update`" + ` from the import statements; do not edit.
What a package may import is a table in
[internal/layering/rules_test.go](../internal/layering/rules_test.go), and a test
fails on any other import.

An arrow means "imports". An import that longer arrows imply is not drawn; the
table has them all. Packages in bold boxes use Pulumi's SDK.

` + "```mermaid\nflowchart TD\n")
	names := slices.Sorted(maps.Keys(packages))
	for _, name := range names {
		fmt.Fprintf(&page, "  %s[%q]%s\n", identifier(name), title(name), map[bool]string{true: ":::pulumi"}[packages[name].usesPulumi()])
	}
	for _, name := range names {
		for _, imported := range slices.Sorted(maps.Keys(packages[name].own)) {
			if !packages.implied(name, imported) {
				fmt.Fprintf(&page, "  %s --> %s\n", identifier(name), identifier(imported))
			}
		}
	}
	page.WriteString("  classDef pulumi stroke-width:3px\n```\n\n| package | what it is | imports |\n|---|---|---|\n")
	for _, name := range names {
		imports := slices.Sorted(maps.Keys(packages[name].own))
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", title(name), packages[name].synopsis, strings.Join(imports, ", "))
	}
	return page.String()
}

func (n *node) usesPulumi() bool {
	for imported := range n.others {
		if matches("github.com/pulumi/...", imported) {
			return true
		}
	}
	return false
}

// implied reports whether another import of a package leads to the imported one.
func (g graph) implied(name, imported string) bool {
	for other := range g[name].own {
		if other != imported && g.reaches(other, imported) {
			return true
		}
	}
	return false
}

// reaches reports whether imports lead from a package to another one.
func (g graph) reaches(from, to string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(name string) bool {
		if name == to {
			return true
		}
		if seen[name] || g[name] == nil {
			return false
		}
		seen[name] = true
		for next := range g[name].own {
			if visit(next) {
				return true
			}
		}
		return false
	}
	return visit(from)
}

func title(name string) string {
	if name == "." {
		return "main.go"
	}
	return filepath.ToSlash(name)
}

// identifier is a name that Mermaid takes for a box.
func identifier(name string) string {
	return "p_" + strings.NewReplacer("/", "_", ".", "main", "-", "_").Replace(name)
}
