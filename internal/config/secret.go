package config

// Secret is a secret value of a stack's configuration. It prints as "[secret]"
// in every format, so that it cannot reach a log by accident.
type Secret struct {
	value string
	// known is false while the value is still encrypted.
	known bool
}

// NewSecret returns a secret with a known value.
func NewSecret(value string) Secret { return Secret{value: value, known: true} }

// Encrypted returns a secret whose value is not known here.
func Encrypted() Secret { return Secret{} }

// Reveal returns the value and whether it is known.
func (s Secret) Reveal() (value string, known bool) { return s.value, s.known }

// String hides the value.
func (s Secret) String() string { return "[secret]" }

// GoString hides the value.
func (s Secret) GoString() string { return "[secret]" }

// MarshalText hides the value, so that JSON and YAML encoders do.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }
