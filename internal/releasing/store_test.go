package releasing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"nova.dev/infra/release"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func recordOf(id string, created time.Time) release.Record {
	return release.Begin(release.Plan{ID: id, Version: "v2", By: "someone", Created: created, Services: []release.Service{
		{Name: "auth", Next: "r/auth-service@sha256:" + strings.Repeat("b", 64)},
	}}, created)
}

func storeOf(t *testing.T) *Store {
	t.Helper()
	access, namespace := connection(t)
	client, err := kubernetes.NewForConfig(access)
	require.NoError(t, err)
	return &Store{Client: client, Namespace: namespace, Stack: "prod"}
}

func TestStore(t *testing.T) {
	s := storeOf(t)
	ctx := t.Context()
	require.NoError(t, s.Create(ctx, recordOf("r1", noon)))
	first, err := s.Load(ctx, "r1")
	require.NoError(t, err)

	t.Log("a record is saved only over the one that was loaded")
	first.Phase = release.Canary
	revision, err := s.Save(ctx, first)
	require.NoError(t, err)
	assert.NotEqual(t, first.Revision, revision)
	_, err = s.Save(ctx, first)
	require.ErrorIs(t, err, release.ErrConflict)
	first.Revision = revision

	t.Log("a second release is refused until the first has ended")
	err = s.Create(ctx, recordOf("r2", noon.Add(time.Hour)))
	require.ErrorIs(t, err, release.ErrInFlight)
	assert.Contains(t, err.Error(), "release r1 of v2 by someone is in phase canary")
	first.Outcome = release.RolledBack
	_, err = s.Save(ctx, first)
	require.NoError(t, err)
	require.NoError(t, s.Create(ctx, recordOf("r2", noon.Add(time.Hour))))

	t.Log("records are listed with the newest first, and those of another stack are not")
	other := &Store{Client: s.Client, Namespace: s.Namespace, Stack: "staging"}
	require.NoError(t, other.Create(ctx, recordOf("r3", noon)))
	list, err := s.List(ctx)
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, "r2", list[0].Plan.ID)
	assert.Equal(t, map[string]string{"sha256:" + strings.Repeat("b", 64): "r1"}, Denied(list), "what was rolled back is denied")

	_, err = s.Load(ctx, "r9")
	require.ErrorIs(t, err, ErrNoRelease)
}

func TestStore_keeps_the_newest_records(t *testing.T) {
	s := storeOf(t)
	for i := range kept + 2 {
		r := recordOf(fmt.Sprint("r", i), noon.Add(time.Duration(i)*time.Minute))
		r.Outcome = release.Released
		require.NoError(t, s.Create(t.Context(), r))
	}
	list, err := s.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, kept)
	assert.Equal(t, fmt.Sprint("r", kept+1), list[0].Plan.ID)
}

func TestWritten_fits_into_a_ConfigMap(t *testing.T) {
	r := recordOf("r1", noon)
	for i := range 9000 {
		r.Timeline = append(r.Timeline, release.Event{At: noon.Add(time.Duration(i) * time.Second), Phase: release.Watch, Text: strings.Repeat("x", 200)})
	}
	text, err := written(r)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(text), maxRecord)
	var again release.Record
	require.NoError(t, json.Unmarshal([]byte(text), &again))
	assert.Equal(t, r.Timeline[0], again.Timeline[0], "the beginning is kept")
	assert.Equal(t, r.Timeline[8999], again.Timeline[len(again.Timeline)-1], "and the end")
	assert.Contains(t, text, "are left out")

	r.Timeline = []release.Event{{Text: strings.Repeat("x", maxRecord)}}
	_, err = written(r)
	require.ErrorContains(t, err, "more than the")
}

func TestLease(t *testing.T) {
	s := storeOf(t)
	lease := func(holder string, wait time.Duration) Lease {
		return Lease{Client: s.Client, Namespace: s.Namespace, Stack: "prod", Holder: holder, Wait: wait}
	}
	t.Run("lets_one_process_at_a_time_work", func(t *testing.T) {
		err := lease("first", 0).Hold(t.Context(), func(ctx context.Context) error {
			by, err := lease("", 0).HeldBy(ctx)
			require.NoError(t, err)
			assert.Contains(t, by, "first")
			err = lease("second", 3*time.Second).Hold(ctx, func(context.Context) error {
				t.Error("both hold it")
				return nil
			})
			var held *HeldError
			require.ErrorAs(t, err, &held)
			assert.Contains(t, held.Holder, "first")
			return errors.New("the result of the work")
		})
		require.EqualError(t, err, "the result of the work")
		by, err := lease("", 0).HeldBy(t.Context())
		require.NoError(t, err)
		assert.Empty(t, by, "it is given back")
		require.NoError(t, lease("second", time.Second).Hold(t.Context(), func(context.Context) error { return nil }))
	})
	t.Run("is_taken_over_from_a_process_that_was_killed", func(t *testing.T) {
		old := metav1.NewMicroTime(time.Now().Add(-2 * leaseDuration))
		leases := s.Client.CoordinationV1().Leases(s.Namespace)
		found, err := leases.Get(t.Context(), leaseName("prod"), metav1.GetOptions{})
		require.NoError(t, err)
		holder := "killed"
		found.Spec.HolderIdentity, found.Spec.RenewTime, found.Spec.AcquireTime = &holder, &old, &old
		_, err = leases.Update(t.Context(), found, metav1.UpdateOptions{})
		require.NoError(t, err)
		began := time.Now()
		require.NoError(t, lease("second", 0).Hold(t.Context(), func(context.Context) error { return nil }))
		assert.Less(t, time.Since(began), leaseDuration+8*time.Second)
	})
	t.Run("ends_the_work_when_it_is_lost", func(t *testing.T) {
		err := lease("first", 0).Hold(t.Context(), func(ctx context.Context) error {
			leases := s.Client.CoordinationV1().Leases(s.Namespace)
			assert.NoError(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error { // The holder renews it meanwhile.
				found, err := leases.Get(ctx, leaseName("prod"), metav1.GetOptions{})
				if err != nil {
					return err
				}
				thief, now := "thief", metav1.NowMicro()
				found.Spec.HolderIdentity, found.Spec.RenewTime = &thief, &now
				_, err = leases.Update(ctx, found, metav1.UpdateOptions{})
				return err
			}))
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(leaseRenew + 10*time.Second):
				return errors.New("goes on working")
			}
		})
		require.ErrorContains(t, err, "was lost")
	})
}
