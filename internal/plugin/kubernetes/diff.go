package kubernetes

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"nova.dev/infra/internal/plugin/standin"
)

// Diff tells what an update would change in the cluster, which includes what
// somebody else changed since the last one. It replaces the object when its
// name or namespace changes, when the API server calls a changed field
// immutable, and, unless the provider makes them mutable, when the data of a
// ConfigMap or Secret changes.
func (p *Provider) Diff(ctx context.Context, req plugin.DiffRequest) (plugin.DiffResponse, error) {
	s, c, err := p.configured()
	if err != nil {
		return plugin.DiffResult{}, standin.Failed("%v", err)
	}
	ctx, done := p.Running(ctx)
	defer done()
	old, err := newObject(req.OldInputs)
	if err != nil {
		return plugin.DiffResult{}, standin.Failed("state of %s: %v", req.URN, err)
	}
	o, err := newObject(req.NewInputs)
	if err != nil {
		return plugin.DiffResult{}, standin.Failed("%v", err)
	}
	current, err := addressed(req.Type, req.ID, req.OldInputs, req.OldOutputs)
	if err != nil {
		return plugin.DiffResult{}, standin.Failed("state of %s: %v", req.URN, err)
	}

	d := differences{old: old, new: o, kinds: map[string]plugin.PropertyDiff{}}
	if identity := d.identity(c, current); identity {
		d.inputs()
	} else if err := p.diffCluster(ctx, c, &d, current, req); err != nil {
		return plugin.DiffResult{}, err
	}
	d.unknowns()
	d.ignore(req.IgnoreChanges)
	d.replaceData(s)
	return d.result(current), nil
}

// diffCluster compares the live object with what an apply would make of it.
// Where the server cannot tell, the old inputs are compared with the new.
func (p *Provider) diffCluster(
	ctx context.Context, c *cluster, d *differences, current object, req plugin.DiffRequest,
) error {
	manager := managerFor(req.URN, req.OldOutputs, d.new)
	live, err := p.live(ctx, c, current.Unstructured)
	if err != nil {
		p.Logger().Debug("the live object cannot be read for a diff", "object", current.title(),
			"error", d.new.secrets.clean(err.Error()))
		d.inputs()
		return nil
	}
	if live == nil {
		p.once(ctx, diag.Warning, req.URN, current.title()+" was deleted outside Pulumi and will be made again")
		d.inputs()
		d.set(resource.PropertyPath{"metadata", "name"}, added)
		return nil
	}
	request := d.new.request(live)
	ignore(request, live, req.IgnoreChanges, manager)
	// Conflicts are reported by the update; here the question is what changes.
	calls, _ := collectWarnings(ctx, req.URN, d.new.secrets)
	wanted, err := p.apply(calls, c, request, applying{urn: req.URN, manager: manager, force: true, dryRun: true})
	if fields := immutableFields(err); len(fields) > 0 {
		d.inputs()
		d.replaceFields(fields)
		return nil
	}
	if err != nil {
		// The update will report it, if there is one.
		p.Logger().Debug("a dry run for a diff failed", "object", current.title(),
			"error", d.new.secrets.clean(err.Error()))
		d.inputs()
		return nil
	}
	p.warnOfDrift(ctx, req.URN, d.cluster(live, wanted))
	return nil
}

func (p *Provider) warnOfDrift(ctx context.Context, urn resource.URN, drift []string) {
	if len(drift) > 0 {
		p.once(ctx, diag.Info, urn, "changed in the cluster since the last update: "+strings.Join(drift, ", "))
	}
}

// differences collects what a diff reports, by property path.
type differences struct {
	old, new object
	kinds    map[string]plugin.PropertyDiff
}

var diffKinds = map[changeKind]plugin.DiffKind{
	added: plugin.DiffAdd, removed: plugin.DiffDelete, updated: plugin.DiffUpdate,
}

func (d *differences) set(path resource.PropertyPath, kind changeKind) {
	d.kinds[path.String()] = plugin.PropertyDiff{Kind: diffKinds[kind]}
}

// identity notes a changed name or namespace, which is another object.
func (d *differences) identity(c *cluster, current object) bool {
	name := d.new.GetName()
	changed := false
	if name != "" && name != current.GetName() {
		d.kinds["metadata.name"] = plugin.PropertyDiff{Kind: plugin.DiffUpdateReplace}
		changed = true
	}
	namespaceOf := func(o object) string {
		if o.GetNamespace() == "" {
			return c.namespace
		}
		return o.GetNamespace()
	}
	if d.new.knownAt("metadata", "namespace") && namespaceOf(d.new) != namespaceOf(current) {
		d.kinds["metadata.namespace"] = plugin.PropertyDiff{Kind: plugin.DiffUpdateReplace}
		changed = true
	}
	return changed
}

// inputs compares the old inputs with the new.
func (d *differences) inputs() {
	for _, change := range compare(d.old.Object, d.new.Object) {
		if _, noted := d.kinds[change.path.String()]; !noted && !d.isUnknown(change.path) {
			d.set(change.path, change.kind)
		}
	}
}

// cluster compares a live object with the result of applying the inputs, in
// the fields which are or were declared. It answers the names of those that
// the program did not change.
func (d *differences) cluster(live, wanted *unstructured.Unstructured) (drift []string) {
	before, after := d.old.request(nil), d.new.request(live)
	for _, change := range compare(comparable(live), comparable(wanted)) {
		declared := governs(after.Object, change.path)
		if !declared && !governs(before.Object, change.path) || d.isUnknown(change.path) {
			continue
		}
		path := d.declaredAs(change.path)
		d.set(path, change.kind)
		if declared && same(nodeAt(before.Object, change.path), nodeAt(after.Object, change.path)) {
			drift = append(drift, path.String())
		}
	}
	return drift
}

// comparable is an object without what changes by itself.
func comparable(o *unstructured.Unstructured) map[string]any {
	tree := o.DeepCopy()
	delete(tree.Object, "status")
	for _, field := range serverSet {
		unstructured.RemoveNestedField(tree.Object, "metadata", field)
	}
	return tree.Object
}

// declaredAs is the path under which the program declares the data of a
// Secret.
func (d *differences) declaredAs(path resource.PropertyPath) resource.PropertyPath {
	if !d.new.isSecret() || len(path) != 2 || path[0] != "data" {
		return path
	}
	text := resource.PropertyPath{"stringData", path[1]}
	for _, o := range []object{d.new, d.old} {
		if _, ok := at(o.Object, text); ok {
			return text
		}
	}
	return path
}

func (d *differences) isUnknown(path resource.PropertyPath) bool {
	return slices.ContainsFunc(d.new.unknown, func(unknown resource.PropertyPath) bool {
		return within(path, unknown) || within(unknown, path)
	})
}

// unknowns notes values which will be known during the update.
func (d *differences) unknowns() {
	for _, path := range d.new.unknown {
		kind := updated
		if _, had := at(d.old.Object, path); !had {
			kind = added
		}
		d.set(path, kind)
	}
}

func (d *differences) ignore(changes []string) {
	for _, ignored := range changes {
		parent, err := resource.ParsePropertyPath(ignored)
		if err != nil {
			continue
		}
		maps.DeleteFunc(d.kinds, func(name string, _ plugin.PropertyDiff) bool {
			path, err := resource.ParsePropertyPath(name)
			return err == nil && parent.Contains(path)
		})
	}
}

// replaceFields makes changes to fields, named as the server does, a
// replacement.
func (d *differences) replaceFields(fields []string) {
	for _, field := range fields {
		field = plain(field)
		found := false
		for name, diff := range d.kinds {
			if covers(field, plain(name)) {
				diff.Kind = diff.Kind.AsReplace()
				d.kinds[name] = diff
				found = true
			}
		}
		if !found {
			d.kinds[field] = plugin.PropertyDiff{Kind: plugin.DiffUpdateReplace}
		}
	}
}

// replaceData replaces a ConfigMap or Secret whose data changes, where they
// are immutable by the provider's setting or by their own.
func (d *differences) replaceData(s settings) {
	immutable := d.new.Object["immutable"] == true
	switch {
	case d.new.isConfigMap() && (immutable || !s.configMapMutable):
		d.replacePresent("data", "binaryData")
	case d.new.isSecret() && (immutable || !s.secretMutable):
		d.replacePresent("data", "stringData", "type")
	}
}

func (d *differences) replacePresent(fields ...string) {
	for name, diff := range d.kinds {
		for _, field := range fields {
			if covers(field, plain(name)) {
				diff.Kind = diff.Kind.AsReplace()
				d.kinds[name] = diff
			}
		}
	}
}

func (d *differences) result(current object) plugin.DiffResult {
	if len(d.kinds) == 0 {
		return plugin.DiffResult{Changes: plugin.DiffNone}
	}
	result := plugin.DiffResult{Changes: plugin.DiffSome, DetailedDiff: d.kinds}
	// A fixed name can be used again only when the old object is gone.
	result.DeleteBeforeReplace = result.Replace() &&
		d.new.annotation(annotationAutonamed) != "true" &&
		d.new.GetName() == current.GetName() &&
		(d.new.GetNamespace() == current.GetNamespace() || current.GetNamespace() == "")
	return result
}
