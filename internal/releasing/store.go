package releasing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	clientcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"nova.dev/infra/release"
)

// Names and labels of records.
const (
	recordPrefix = "nova-release-"
	recordKey    = "record"
	stackLabel   = "nova.dev/stack"
	recordLabel  = "nova.dev/record"
	recordKind   = "release"
)

// kept is how many records of a stack are kept; those of the oldest releases go.
const kept = 50

// ErrNoRelease is wrapped by the error about a release that has no record.
var ErrNoRelease = errors.New("there is no such release")

// Store is a release.Store: each record is a ConfigMap in the namespace of the
// stack. Its resourceVersion is the revision of the record.
type Store struct {
	Client    kubernetes.Interface
	Namespace string
	// Stack is the name of the stack.
	Stack string
}

// Create implements release.Store. The caller holds the Lease of the stack, so that
// no other release begins meanwhile.
func (s *Store) Create(ctx context.Context, record release.Record) error {
	records, err := s.List(ctx)
	if err != nil {
		return err
	}
	for _, other := range records {
		if !other.Outcome.Ended() {
			return fmt.Errorf("release %s of %s by %s is in phase %s: %w", other.Plan.ID, other.Plan.Version, other.Plan.By, other.Phase, release.ErrInFlight)
		}
	}
	object, err := s.object(record)
	if err != nil {
		return err
	}
	if _, err := s.maps().Create(ctx, object, metav1.CreateOptions{FieldManager: fieldManager}); err != nil {
		return err
	}
	for i := kept - 1; i < len(records); i++ { // The newest is first.
		if err := s.maps().Delete(ctx, recordPrefix+records[i].Plan.ID, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// Load implements release.Store.
func (s *Store) Load(ctx context.Context, id string) (release.Record, error) {
	object, err := s.maps().Get(ctx, recordPrefix+id, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return release.Record{}, fmt.Errorf("%w in namespace %s", ErrNoRelease, s.Namespace)
	}
	if err != nil {
		return release.Record{}, err
	}
	return read(object)
}

// Save implements release.Store.
func (s *Store) Save(ctx context.Context, record release.Record) (string, error) {
	object, err := s.object(record)
	if err != nil {
		return "", err
	}
	object.ResourceVersion = record.Revision
	saved, err := s.maps().Update(ctx, object, metav1.UpdateOptions{FieldManager: fieldManager})
	if apierrors.IsConflict(err) {
		return "", fmt.Errorf("%w: %w", release.ErrConflict, err)
	}
	if err != nil {
		return "", err
	}
	return saved.ResourceVersion, nil
}

// List returns the records of the stack, the newest first.
func (s *Store) List(ctx context.Context) ([]release.Record, error) {
	found, err := s.maps().List(ctx, metav1.ListOptions{LabelSelector: recordLabel + "=" + recordKind + "," + stackLabel + "=" + s.Stack})
	if err != nil {
		return nil, fmt.Errorf("records of releases in namespace %s: %w", s.Namespace, err)
	}
	var records []release.Record
	for i := range found.Items {
		record, err := read(&found.Items[i])
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	slices.SortStableFunc(records, func(a, b release.Record) int { return b.Plan.Created.Compare(a.Plan.Created) })
	return records, nil
}

// fieldManager is the owner of the fields of records.
const fieldManager = "nova-release"

func (s *Store) maps() clientcorev1.ConfigMapInterface {
	return s.Client.CoreV1().ConfigMaps(s.Namespace)
}

func (s *Store) object(record release.Record) (*corev1.ConfigMap, error) {
	text, err := written(record)
	if err != nil {
		return nil, err
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: recordPrefix + record.Plan.ID, Namespace: s.Namespace,
			Labels: map[string]string{stackLabel: s.Stack, recordLabel: recordKind},
		},
		Data: map[string]string{recordKey: text},
	}, nil
}

func read(object *corev1.ConfigMap) (release.Record, error) {
	var record release.Record
	if err := json.Unmarshal([]byte(object.Data[recordKey]), &record); err != nil {
		return record, fmt.Errorf("ConfigMap %s: %s: %w", object.Name, recordKey, err)
	}
	record.Revision = object.ResourceVersion
	return record, nil
}
