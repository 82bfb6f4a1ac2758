package change

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Difference is one input that differs.
type Difference struct {
	// Path is like spec.template.spec.containers[auth].image: an element of a list
	// is named by its name where all have one, so that an element more moves no
	// other.
	Path string `json:"path"`
	// Kind is added, removed or changed.
	Kind string `json:"kind"`
	// Old and New are empty where there is none, and where the inputs do not show
	// what differs. They are texts: scalars as they are, anything else as JSON. A secret
	// is [secret] with the fingerprint of its value, a value that is known only
	// after the operation [known after up].
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Secret is set when the values are hidden, Unknown when the new one is not
	// known yet.
	Secret  bool `json:"secret,omitempty"`
	Unknown bool `json:"unknown,omitempty"`
}

// Kinds of differences.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// leaf is a difference with its values.
type leaf struct {
	path     string
	keys     []key
	old, new any
}

// key is one step of a path: the key of a map, or an element of a list by its
// name or place, with its places before and after. These are -1 where there is
// none.
type key struct {
	name     string
	old, new int
}

// is reports whether a segment of a provider's path means the key.
func (k key) is(segment string) bool {
	return segment == k.name || segment == strconv.Itoa(k.old) || segment == strconv.Itoa(k.new)
}

// on reports whether a leaf lies at, above or below a provider's path.
func (l leaf) on(segments []string) bool {
	for i := range min(len(segments), len(l.keys)) {
		if !l.keys[i].is(segments[i]) {
			return false
		}
	}
	return true
}

// name is that of the field or variable that a leaf belongs to.
func (l leaf) name() string {
	var names []string
	for _, k := range l.keys {
		if k.name != strconv.Itoa(k.old) { // The place in a list is no name.
			names = append(names, k.name)
		}
	}
	last := len(names) - 1
	if last > 0 && names[last] == "value" {
		last--
	}
	return names[max(0, last)]
}

// differences are those of a step, ordered by path.
func differences(step Step, m Mask) []Difference {
	c := &comparison{}
	c.compare("", nil, pushDown(step.Old), pushDown(step.New))
	c.keepReported(step)
	c.addHidden(step)
	all := make([]Difference, 0, len(c.leaves))
	for _, l := range c.leaves {
		all = append(all, m.difference(step, l))
	}
	slices.SortFunc(all, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func (m Mask) difference(step Step, l leaf) Difference {
	name := l.name()
	hidden := inSecret(step, l)
	if hidden && l.keys[0].name == "data" {
		l.old, l.new = decoded(l.old), decoded(l.new)
	}
	d := Difference{Path: l.path, Old: m.text(name, l.old, hidden), New: m.text(name, l.new, hidden)}
	switch {
	case l.old == nil && l.new != nil:
		d.Kind = Added
	case l.old != nil && l.new == nil:
		d.Kind = Removed
	default:
		d.Kind = Changed
	}
	d.Secret = strings.Contains(d.Old, "[secret") || strings.Contains(d.New, "[secret")
	d.Unknown = strings.Contains(d.New, "known after up]")
	if d.Secret && d.Kind == Changed && d.Old == d.New {
		d.Old = "[secret, another value]" // The provider says that it differs from what the state has.
	}
	return d
}

// inSecret reports whether a value lies in the data of a Secret, which is hidden
// also where nobody has marked it.
func inSecret(step Step, l leaf) bool {
	return step.Type == secretType && len(l.keys) > 0 && (l.keys[0].name == "data" || l.keys[0].name == "stringData")
}

const secretType = "kubernetes:core/v1:Secret"

// pushDown moves the mark of a secret tree to its leaves, and drops what engines
// add to inputs.
func pushDown(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		down := make(map[string]any, len(v))
		for key, each := range v {
			if !strings.HasPrefix(key, "__") {
				down[key] = pushDown(each)
			}
		}
		return down
	case []any:
		down := make([]any, len(v))
		for i, each := range v {
			down[i] = pushDown(each)
		}
		return down
	case Secret:
		switch within := v.Value.(type) {
		case map[string]any:
			down := make(map[string]any, len(within))
			for key, each := range within {
				down[key] = pushDown(Secret{each, v.Known})
			}
			return down
		case []any:
			down := make([]any, len(within))
			for i, each := range within {
				down[i] = pushDown(Secret{each, v.Known})
			}
			return down
		case Secret:
			return pushDown(within)
		}
	}
	return tree
}

type comparison struct{ leaves []leaf }

func (c *comparison) add(path string, keys []key, before, after any) {
	c.leaves = append(c.leaves, leaf{path, slices.Clone(keys), before, after})
}

func (c *comparison) compare(path string, keys []key, before, after any) {
	switch a := before.(type) {
	case map[string]any:
		if b, ok := after.(map[string]any); ok {
			for _, name := range union(a, b) {
				c.compare(joined(path, name), append(keys[:len(keys):len(keys)], key{name, -1, -1}), a[name], b[name])
			}
			return
		}
	case []any:
		if b, ok := after.([]any); ok && c.lists(path, keys, a, b) {
			return
		}
	}
	if !equal(before, after) {
		c.add(path, keys, before, after)
	}
}

// lists compares lists element by element, by name where all elements have one
// and by place where both are equally long. It reports false for lists that can
// only be compared as a whole.
func (c *comparison) lists(path string, keys []key, a, b []any) bool {
	old, okOld := named(a)
	now, okNew := named(b)
	switch {
	case okOld && okNew:
		for _, name := range union(old, now) {
			was, is := old[name], now[name]
			c.compare(fmt.Sprintf("%s[%s]", path, name), append(keys[:len(keys):len(keys)], key{name, was.place(), is.place()}), was.tree(), is.tree())
		}
		return true
	case len(a) == len(b):
		for i := range a {
			c.compare(fmt.Sprintf("%s[%d]", path, i), append(keys[:len(keys):len(keys)], key{strconv.Itoa(i), i, i}), a[i], b[i])
		}
		return true
	}
	return false
}

// element is an element of a list; nil stands for none.
type element struct {
	at     int
	fields map[string]any
}

func (e *element) place() int {
	if e == nil {
		return -1
	}
	return e.at
}

func (e *element) tree() any {
	if e == nil {
		return nil
	}
	return e.fields
}

// named are the elements of a list by their name, or by the path at which they
// are mounted. An empty list has no element without a name.
func named(list []any) (map[string]*element, bool) {
	all := make(map[string]*element, len(list))
	for i, each := range list {
		fields, ok := each.(map[string]any)
		if !ok {
			return nil, false
		}
		name, ok := fields["mountPath"].(string)
		if !ok {
			name, ok = fields["name"].(string)
		}
		if _, twice := all[name]; !ok || twice {
			return nil, false
		}
		all[name] = &element{i, fields}
	}
	return all, true
}

func union[V any](a, b map[string]V) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

// joined is a path and a key below it, quoted where it has a dot.
func joined(path, key string) string {
	switch {
	case strings.ContainsAny(key, ".[]\"/"):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// equal reports whether two values are the same. Secrets whose values are not
// known count as equal: that they differ only a provider can tell.
func equal(a, b any) bool {
	x, xs := a.(Secret)
	y, ys := b.(Secret)
	switch {
	case xs && ys:
		return !x.Known || !y.Known || equal(x.Value, y.Value)
	case xs && x.Known && b != nil:
		return equal(x.Value, b)
	case ys && y.Known && a != nil:
		return equal(a, y.Value)
	}
	if _, unknown := b.(Unknown); unknown {
		return false
	}
	return reflect.DeepEqual(a, b)
}

// keepReported drops what the provider does not report: a field that the cluster
// leaves out because it is empty, for instance.
func (c *comparison) keepReported(step Step) {
	if len(step.Paths) == 0 {
		return
	}
	var reported [][]string
	for _, path := range step.Paths {
		reported = append(reported, segments(path))
	}
	c.leaves = slices.DeleteFunc(c.leaves, func(l leaf) bool { return !slices.ContainsFunc(reported, l.on) })
}

// addHidden adds what only the provider sees: secrets that differ, and, where
// nothing else does, differences that the inputs do not show. A provider reports
// all of a Secret where one value differs: those that are known to be the same are
// left out, but where nothing else is left. Then what is in the cluster differs
// from the state.
func (c *comparison) addHidden(step Step) {
	var same []leaf
	nothing := len(c.leaves) == 0
	for _, path := range step.Paths {
		at := segments(path)
		if len(at) == 0 || slices.ContainsFunc(c.leaves, func(l leaf) bool { return l.on(at) }) {
			continue
		}
		l := leaf{path: path, old: valueAt(step.Old, at), new: valueAt(step.New, at)}
		for i, segment := range at {
			l.keys = append(l.keys, key{cmp.Or(elementName(step.New, at[:i+1]), elementName(step.Old, at[:i+1]), segment), -1, -1})
		}
		old, wasSecret := l.old.(Secret)
		now, isSecret := l.new.(Secret)
		switch {
		case wasSecret && isSecret && old.Known && now.Known && equal(old, now):
			same = append(same, l)
		case nothing, wasSecret && isSecret:
			c.leaves = append(c.leaves, l)
		}
	}
	if len(c.leaves) == 0 {
		c.leaves = same
	}
}

// elementName is the name of the element of a list at a path, empty if it is none
// or has none.
func elementName(tree any, at []string) string {
	if _, err := strconv.Atoi(at[len(at)-1]); err != nil {
		return ""
	}
	fields, _ := valueAt(tree, at).(map[string]any)
	name, _ := fields["name"].(string)
	return name
}

// segments are the keys and places of a provider's path.
func segments(path string) []string {
	var keys []string
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			key, rest, ok := strings.Cut(path[1:], "]")
			if strings.HasPrefix(path, `["`) {
				key, rest, ok = strings.Cut(path[2:], `"]`)
			}
			if !ok {
				return keys
			}
			keys, path = append(keys, key), rest
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			keys, path = append(keys, path[:end]), path[end:]
		}
	}
	return keys
}

// valueAt is the value at a path, nil if there is none. A secret on the way makes all
// below it secret.
func valueAt(tree any, keys []string) any {
	for i, key := range keys {
		switch v := tree.(type) {
		case map[string]any:
			tree = v[key]
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n < 0 || n >= len(v) {
				return nil
			}
			tree = v[n]
		case Secret:
			if !v.Known {
				return v
			}
			below := valueAt(v.Value, keys[i:])
			if _, secret := below.(Secret); secret || below == nil {
				return below
			}
			return Secret{below, true}
		default:
			return nil
		}
	}
	return tree
}
