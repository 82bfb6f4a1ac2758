package compose

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// newSecretValues generates a value for every secret that can be generated, and
// for the variables that are derived from one, by key.
func newSecretValues(s *stack.Stack) (map[string]string, error) {
	values := map[string]string{}
	for _, secret := range catalog.Secrets() {
		switch secret.Generate {
		case catalog.GeneratePassword:
			// 260 bits of letters and digits, which need no escaping in a URL.
			values[secret.Key] = rand.Text() + rand.Text()
		case catalog.GenerateKey:
			key := make([]byte, catalog.KeyBytes)
			if _, err := rand.Read(key); err != nil {
				return nil, err
			}
			values[secret.Key] = base64.StdEncoding.EncodeToString(key)
		case catalog.GenerateRSA:
			private, err := newSigningKey()
			if err != nil {
				return nil, err
			}
			values[secret.Key] = private
			if values[config.PublicKeyVariable], err = config.PublicKeyPEM(private); err != nil {
				return nil, err
			}
		}
	}
	for _, u := range s.CatalogEnvironment().ConnectionURLs() {
		values[u.Key] = u.With(values[u.Password])
	}
	return values, nil
}

// newSigningKey generates an RSA key in PKCS #8 PEM.
func newSigningKey() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, catalog.RSABits)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}
