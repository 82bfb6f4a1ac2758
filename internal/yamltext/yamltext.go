// Package yamltext writes YAML that parsers of YAML 1.1 (PyYAML, SnakeYAML,
// kubectl) and of YAML 1.2 read alike.
package yamltext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// Marshal writes a value as a YAML document. Structs are written by their JSON
// tags. Keys are sorted, sequences are not indented within mappings.
func Marshal(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	text, err = yaml.JSONToYAML(unreadable.ReplaceAllFunc(text, escape))
	if err != nil {
		return nil, err
	}
	return Portable(text)
}

// unreadable are the characters that JSON allows in text and YAML does not.
var unreadable = regexp.MustCompile("[\u007f-\u009f\ufeff\ufffe\uffff]")

func escape(character []byte) []byte {
	r, _ := utf8.DecodeRune(character)
	return fmt.Appendf(nil, `\u%04x`, r)
}

// Portable returns a text with every plain scalar that parsers of YAML 1.1 and
// 1.2 may read as different values written so that they do not: what is no
// number, boolean or null of a form common to both is quoted. Everything else,
// comments and layout too, stays as it is. The text must be what a program
// wrote for data, in which a plain 012, yes or << stands for text.
func Portable(text []byte) ([]byte, error) {
	if !suspect(text) {
		return text, nil
	}
	var edits []edit
	decoder := yamlv3.NewDecoder(bytes.NewReader(text))
	for {
		var document yamlv3.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		edits = collect(edits, &document)
	}
	return apply(text, edits)
}

// suspect reports whether any word of a text would have to change if it were a
// plain scalar. Most texts have none and need not be parsed.
func suspect(text []byte) bool {
	separates := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("[]{},", r) }
	for word := range bytes.FieldsFuncSeq(text, separates) {
		word = bytes.TrimSuffix(word, []byte(":"))
		if bytes.Contains(word, []byte(`":`)) || bytes.Contains(word, []byte(`':`)) {
			return true // A key and its value without a space between them.
		}
		if plain := string(word); scalar(plain) != plain {
			return true
		}
	}
	return false
}

// edit replaces a scalar at a line and column, both counted from 1; columns
// count characters.
type edit struct {
	line, column int
	old, new     string
}

func collect(edits []edit, node *yamlv3.Node) []edit {
	if node.Kind == yamlv3.ScalarNode && node.Style == 0 {
		if portable := scalar(node.Value); portable != node.Value {
			edits = append(edits, edit{node.Line, node.Column, node.Value, portable})
		}
	}
	for _, child := range node.Content {
		edits = collect(edits, child)
	}
	return edits
}

// lineOf is a line with its end, as the parser counts them.
var lineOf = regexp.MustCompile("[^\\n\\r\u0085\u2028\u2029]*(\r\n|[\\n\\r\u0085\u2028\u2029]|$)")

func apply(text []byte, edits []edit) ([]byte, error) {
	if len(edits) == 0 {
		return text, nil
	}
	lines := lineOf.FindAllString(string(text), -1)
	for _, e := range slices.Backward(edits) {
		line := []rune(lines[e.line-1])
		start := e.column - 1
		end := start + len(e.old)
		if end > len(line) || string(line[start:end]) != e.old {
			return nil, fmt.Errorf("line %d: %q is not at column %d", e.line, e.old, e.column)
		}
		lines[e.line-1] = string(line[:start]) + e.new + string(line[end:])
	}
	return []byte(strings.Join(lines, "")), nil
}

var (
	// common are the forms of null, booleans, integers and floats on which YAML
	// 1.1 and the core schema of 1.2 agree.
	common = regexp.MustCompile(`^(|null|true|false|-?(0|[1-9][0-9]*)|-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+][0-9]+)?|-?\.inf|\.nan)$`)
	// exponent is a float without a fraction, which is text to some parsers of
	// YAML 1.1.
	exponent = regexp.MustCompile(`^(-?[1-9])([eE][-+][0-9]+)$`)
	// special is what either version, or a parser that is lax about it, reads as
	// something else than text; https://yaml.org/type and section 10.3.2 of the
	// specification of YAML 1.2.2.
	special = regexp.MustCompile(`^(` + strings.Join([]string{
		`~|[nN]ull|NULL`,
		`[yYnN]|[yY]es|YES|[nN]o|NO|[tT]rue|TRUE|[fF]alse|FALSE|[oO]n|ON|[oO]ff|OFF`,
		`[-+]?0[bB][01_]+|[-+]?0[oO]?[0-7_]+|[-+]?0[xX][0-9a-fA-F_]+`,
		`[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`,
		`[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?`,
		`[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)`,
		`[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]*)?([ \t]*(Z|[-+][0-9]{1,2}(:?[0-9]{2})?))?)?`,
		`<<|=`,
	}, "|") + `)$`)
)

// scalar returns a plain scalar in the form that both versions read alike.
func scalar(value string) string {
	switch {
	case value == "", !strings.ContainsRune("~nNyYtTfFoO+-.0123456789<=", rune(value[0])):
		return value
	case common.MatchString(value):
		return value
	case exponent.MatchString(value):
		return exponent.ReplaceAllString(value, "$1.0$2")
	case special.MatchString(value):
		return strconv.Quote(value)
	}
	return value
}
