package tls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"

	"nova.dev/infra/internal/plugin/generated"
)

// leastBits is the smallest RSA key which crypto/rsa makes.
const leastBits = 1024

var curves = map[string]elliptic.Curve{
	"P224": elliptic.P224(), "P256": elliptic.P256(), "P384": elliptic.P384(), "P521": elliptic.P521(),
}

func makePrivateKey(in resource.PropertyMap) (string, resource.PropertyMap, error) {
	key, err := newKey(in)
	if err != nil {
		return "", nil, err
	}
	legacy, err := legacyPEM(key)
	if err != nil {
		return "", nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", nil, err
	}
	out := texts(map[resource.PropertyKey]string{
		"privateKeyPem":              legacy,
		"privateKeyPemPkcs8":         encode("PRIVATE KEY", pkcs8),
		"publicKeyPem":               encode("PUBLIC KEY", public),
		"privateKeyOpenssh":          "",
		"publicKeyOpenssh":           "",
		"publicKeyFingerprintMd5":    "",
		"publicKeyFingerprintSha256": "",
	})
	// OpenSSH has no keys on P224; the plugin leaves these outputs empty.
	if sshPublic, err := ssh.NewPublicKey(key.Public()); err == nil {
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			return "", nil, err
		}
		for name, value := range texts(map[resource.PropertyKey]string{
			"privateKeyOpenssh":          string(pem.EncodeToMemory(block)),
			"publicKeyOpenssh":           string(ssh.MarshalAuthorizedKey(sshPublic)),
			"publicKeyFingerprintMd5":    ssh.FingerprintLegacyMD5(sshPublic),
			"publicKeyFingerprintSha256": ssh.FingerprintSHA256(sshPublic),
		}) {
			out[name] = value
		}
	}
	// The id is the SHA-1 of the public key, as in the plugin.
	sum := sha1.Sum([]byte(strings.TrimSpace(string(public))))
	return hex.EncodeToString(sum[:]), out, nil
}

func newKey(in resource.PropertyMap) (crypto.Signer, error) {
	switch algorithm := generated.String(in["algorithm"]); algorithm {
	case "RSA":
		return rsa.GenerateKey(rand.Reader, generated.Number(in["rsaBits"]))
	case "ECDSA":
		return ecdsa.GenerateKey(curves[generated.String(in["ecdsaCurve"])], rand.Reader)
	case "ED25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	default:
		return nil, fmt.Errorf("unknown algorithm %q", algorithm)
	}
}

// legacyPEM encodes a key in the form which is customary for its algorithm.
func legacyPEM(key crypto.Signer) (string, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), nil
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		return encode("EC PRIVATE KEY", der), err
	default:
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return encode("PRIVATE KEY", der), err
	}
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func texts(values map[resource.PropertyKey]string) resource.PropertyMap {
	m := resource.PropertyMap{}
	for key, value := range values {
		m[key] = resource.NewStringProperty(value)
	}
	return m
}

// parseKey reads a private key in any of the forms above. Its errors never
// contain it.
func parseKey(property resource.PropertyKey, text string) (crypto.Signer, string, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, "", fmt.Errorf("%s holds no PEM block", property)
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return nil, "", fmt.Errorf("%s holds a %s, must hold a private key", property, block.Type)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s holds a private key which cannot be read", property)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, "RSA", nil
	case *ecdsa.PrivateKey:
		return key, "ECDSA", nil
	case ed25519.PrivateKey:
		return key, "ED25519", nil
	}
	return nil, "", errors.New("the private key has an unsupported algorithm")
}
