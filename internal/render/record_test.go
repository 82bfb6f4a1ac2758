package render

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func FuzzRecord(f *testing.F) {
	f.Add(string(record{"kubernetes/a b.yaml": digest(nil), "x": digest([]byte("x"))}.text()))
	f.Add("00  x\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRecord(text)
		if err != nil {
			return
		}
		again, err := parseRecord(string(r.text()))
		assert.NoError(t, err)
		assert.Equal(t, r, again)
		for name := range r {
			assert.NotContains(t, name, "..//")
			assert.NotEqual(t, byte('/'), name[0])
		}
	})
}
