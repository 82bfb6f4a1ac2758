package kubernetes

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// A tree is what JSON decodes to: maps with string keys, slices and scalars.
// The functions of this file address its nodes by property paths.

// at finds the node at a path.
func at(tree any, path resource.PropertyPath) (any, bool) {
	for _, step := range path {
		switch node := tree.(type) {
		case map[string]any:
			key, ok := step.(string)
			if !ok {
				return nil, false
			}
			if tree, ok = node[key]; !ok {
				return nil, false
			}
		case []any:
			index, ok := step.(int)
			if !ok || index < 0 || index >= len(node) {
				return nil, false
			}
			tree = node[index]
		default:
			return nil, false
		}
	}
	return tree, true
}

// put sets the node at a path whose parent exists, and tells whether it did.
func put(tree any, path resource.PropertyPath, value any) bool {
	parent, ok := at(tree, path[:len(path)-1])
	if !ok {
		return false
	}
	switch node := parent.(type) {
	case map[string]any:
		key, ok := path[len(path)-1].(string)
		if ok {
			node[key] = value
		}
		return ok
	case []any:
		index, ok := path[len(path)-1].(int)
		if ok = ok && index >= 0 && index < len(node); ok {
			node[index] = value
		}
		return ok
	}
	return false
}

// drop removes the map entry at a path.
func drop(tree any, path resource.PropertyPath) {
	parent, ok := at(tree, path[:len(path)-1])
	if !ok {
		return
	}
	if node, ok := parent.(map[string]any); ok {
		if key, ok := path[len(path)-1].(string); ok {
			delete(node, key)
		}
	}
}

// expand answers the paths in a tree which a path with wildcards stands for.
// Without wildcards that is the path itself, whether it exists or not.
func expand(tree any, path resource.PropertyPath) []resource.PropertyPath {
	for i, step := range path {
		if step != "*" {
			continue
		}
		parent, ok := at(tree, path[:i])
		if !ok {
			return nil
		}
		var steps []any
		switch node := parent.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(node)) {
				steps = append(steps, key)
			}
		case []any:
			for index := range node {
				steps = append(steps, index)
			}
		}
		var paths []resource.PropertyPath
		for _, step := range steps {
			one := slices.Clone(path)
			one[i] = step
			paths = append(paths, expand(tree, one)...)
		}
		return paths
	}
	return []resource.PropertyPath{path}
}

type changeKind int

const (
	added changeKind = iota
	removed
	updated
)

// change is a difference between two trees.
type change struct {
	path resource.PropertyPath
	kind changeKind
}

// compare lists the differences from one tree to another, in a stable order.
func compare(before, after any) []change {
	var changes []change
	compareAt(nil, before, after, &changes)
	return changes
}

func compareAt(path resource.PropertyPath, before, after any, changes *[]change) {
	step := func(s any) resource.PropertyPath { return append(slices.Clone(path), s) }
	switch a := after.(type) {
	case map[string]any:
		b, ok := before.(map[string]any)
		if !ok {
			break
		}
		keys := slices.Collect(maps.Keys(a))
		for key := range b {
			if _, both := a[key]; !both {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			beforeValue, had := b[key]
			afterValue, has := a[key]
			switch {
			case !had:
				*changes = append(*changes, change{step(key), added})
			case !has:
				*changes = append(*changes, change{step(key), removed})
			default:
				compareAt(step(key), beforeValue, afterValue, changes)
			}
		}
		return
	case []any:
		b, ok := before.([]any)
		if !ok {
			break
		}
		for i := range max(len(a), len(b)) {
			switch {
			case i >= len(b):
				*changes = append(*changes, change{step(i), added})
			case i >= len(a):
				*changes = append(*changes, change{step(i), removed})
			default:
				compareAt(step(i), b[i], a[i], changes)
			}
		}
		return
	}
	if !same(before, after) {
		*changes = append(*changes, change{path, updated})
	}
}

// same compares nodes; numbers are equal by value, since Pulumi has one type
// of number and Kubernetes two.
func same(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// within tells whether one path lies at or below another.
func within(path, parent resource.PropertyPath) bool {
	if len(path) < len(parent) {
		return false
	}
	for i, step := range parent {
		if step != path[i] {
			return false
		}
	}
	return true
}

// governs tells whether a tree says something about a path: it has a node
// there, or a scalar on the way to it.
func governs(tree any, path resource.PropertyPath) bool {
	for i := range len(path) + 1 {
		node, ok := at(tree, path[:i])
		if !ok {
			return false
		}
		switch node.(type) {
		case map[string]any, []any:
		default:
			return true
		}
	}
	return true
}

// plain writes a path in the way in which the API server names fields, without
// brackets and quotes, so that the two can be compared.
func plain(field string) string {
	return strings.Trim(strings.NewReplacer("[", ".", "]", "", `"`, "").Replace(field), ".")
}

// covers tells whether one plain field name is the other or a parent of it.
func covers(parent, field string) bool {
	return field == parent || strings.HasPrefix(field, parent+".")
}
