package stackfile

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// patch sets one value by changing only the text that is to change: a scalar, or
// lines that are added behind the mapping that gets a key. ok is false where the
// text has a form that is not known here; then nothing is wrong with it.
func patch(text []byte, setting Setting) (patched []byte, ok bool) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil || document.Kind == 0 {
		return nil, false
	}
	path := slices.Concat([]string{"config"}, setting.Path)
	at := document.Content[0]
	step := 2
	for i, key := range path {
		if at.Kind != yaml.MappingNode || len(at.Content) == 0 {
			return nil, false
		}
		next := find(at, key)
		switch {
		case next == nil && at.Style&yaml.FlowStyle != 0:
			return addToFlow(text, at, missing(path[i:], setting.Value))
		case next == nil:
			return addLines(text, at, missing(path[i:], setting.Value), step), true
		case next.Kind == yaml.MappingNode && next.Style&yaml.FlowStyle == 0 && len(next.Content) > 0:
			step = max(next.Content[0].Column-at.Content[0].Column, 1)
		}
		at = next
	}
	return replaceScalar(text, at, scalar(setting.Value))
}

// find is the value of a key in a mapping, or nil.
func find(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// missing is a mapping of the rest of a path to a value.
func missing(path []string, value any) *yaml.Node {
	node := scalar(value)
	for _, key := range slices.Backward(path) {
		var name yaml.Node
		name.SetString(key)
		inner := node
		node = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{&name, &inner}}
	}
	return &node
}

// offset is the place of a node in the text.
func offset(text []byte, node *yaml.Node) int {
	at := 0
	for range node.Line - 1 {
		at += bytes.IndexByte(text[at:], '\n') + 1
	}
	for range node.Column - 1 { // Columns count characters.
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	return at
}

// replaceScalar replaces a scalar of one line, and keeps its quotes.
func replaceScalar(text []byte, old *yaml.Node, value yaml.Node) ([]byte, bool) {
	if old.Kind != yaml.ScalarNode || old.Anchor != "" || old.Style&yaml.TaggedStyle != 0 {
		return nil, false
	}
	begin := offset(text, old)
	length := 0
	switch {
	case old.Style == 0 && old.Value != "" && bytes.HasPrefix(text[begin:], []byte(old.Value)):
		length = len(old.Value)
	case old.Style == yaml.SingleQuotedStyle, old.Style == yaml.DoubleQuotedStyle:
		if length = quotedLength(text[begin:]); length == 0 {
			return nil, false
		}
	default:
		return nil, false
	}
	value.Style = old.Style
	written, err := yaml.Marshal(&value)
	if err != nil {
		return nil, false
	}
	return slices.Concat(text[:begin], bytes.TrimRight(written, "\n"), text[begin+length:]), true
}

// quotedLength is the length of a quoted scalar at the beginning of a text; 0 if
// it does not end.
func quotedLength(text []byte) int {
	quote := text[0]
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] != quote:
		case quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return 0
}

// addToFlow adds entries before the closing brace of a mapping such as {a: b}.
func addToFlow(text []byte, mapping, added *yaml.Node) ([]byte, bool) {
	written, err := yaml.Marshal(flow(added))
	if err != nil {
		return nil, false
	}
	end := closingBrace(text, offset(text, mapping))
	if end < 0 {
		return nil, false
	}
	entry := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(written)), "{"), "}")
	before := bytes.TrimRight(text[:end], " ")
	separator := ", "
	if bytes.HasSuffix(before, []byte(",")) {
		separator = " "
	}
	return slices.Concat(before, []byte(separator+entry), text[len(before):]), true
}

func flow(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.MappingNode {
		node.Style = yaml.FlowStyle
	}
	for _, child := range node.Content {
		flow(child)
	}
	return node
}

// closingBrace is the place of the brace that closes the one at begin, on the same
// line; -1 without one.
func closingBrace(text []byte, begin int) int {
	if text[begin] != '{' {
		return -1
	}
	depth := 0
	for i := begin; i < len(text) && text[i] != '\n'; i++ {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i
			}
		case '\'', '"':
			// A quote begins a text only where a value may begin.
			if bytes.ContainsRune([]byte("{[,: "), rune(text[i-1])) {
				length := quotedLength(text[i:])
				if length == 0 {
					return -1
				}
				i += length - 1
			}
		case '#':
			return -1
		}
	}
	return -1
}

// addLines adds a mapping's entries behind its last one, as far to the right as
// the others and with the line ends of the file.
func addLines(text []byte, mapping, added *yaml.Node, step int) []byte {
	indentation := mapping.Content[0].Column - 1
	var written bytes.Buffer
	encoder := yaml.NewEncoder(&written)
	encoder.SetIndent(step)
	if encoder.Encode(added) != nil {
		return nil
	}
	newline := "\n"
	if bytes.Contains(text, []byte("\r\n")) {
		newline = "\r\n"
	}
	var lines strings.Builder
	for line := range strings.Lines(written.String()) {
		lines.WriteString(strings.Repeat(" ", indentation) + strings.TrimRight(line, "\n") + newline)
	}
	at := endOf(text, mapping, indentation)
	before := text[:at]
	if at > 0 && text[at-1] != '\n' {
		before = slices.Concat(before, []byte(newline))
	}
	return slices.Concat(before, []byte(lines.String()), text[at:])
}

// endOf is the place behind the last line of a mapping: the lines of its last
// value may go on for as long as they are further to the right.
func endOf(text []byte, mapping *yaml.Node, indentation int) int {
	last := offset(text, &yaml.Node{Line: lastLine(mapping), Column: 1})
	end := last
	for first := true; last < len(text); first = false {
		length := bytes.IndexByte(text[last:], '\n') + 1
		if length == 0 {
			length = len(text) - last
		}
		line := bytes.TrimRight(text[last:last+length], "\r\n ")
		depth := len(line) - len(bytes.TrimLeft(line, " "))
		if !first && len(line) > 0 && depth <= indentation {
			break
		}
		last += length
		if first || len(line) > 0 {
			end = last
		}
	}
	return end
}

func lastLine(node *yaml.Node) int {
	last := node.Line
	for _, child := range node.Content {
		last = max(last, lastLine(child))
	}
	return last
}

// holds reports whether a text holds values and nothing else.
func holds(text []byte, values any) bool {
	var read any
	return yaml.Unmarshal(text, &read) == nil && reflect.DeepEqual(read, values)
}
