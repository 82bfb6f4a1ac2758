package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// minKeyBits is the least size of an RSA signing key; RFC 7518, section 3.3.
const minKeyBits = 2048

// PublicKeyPEM returns the public half of an RSA private key in PEM, which may
// be in PKCS #8 or PKCS #1 form. Its errors never contain the key.
func PublicKeyPEM(privateKey string) (string, error) {
	block, _ := pem.Decode([]byte(privateKey))
	if block == nil {
		return "", errors.New("is not PEM; expected -----BEGIN PRIVATE KEY----- with real line breaks")
	}
	key, err := parseRSA(block.Bytes)
	if err != nil {
		return "", err
	}
	if key.N.BitLen() < minKeyBits {
		return "", errors.New("is too short; an RSA key of at least 2048 bits is required")
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", errors.New("has no usable public half")
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

func parseRSA(der []byte) (*rsa.PrivateKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("is not a private key; expected PKCS #8 or PKCS #1")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("is not an RSA key")
	}
	return key, nil
}

// IsPublicKey reports whether a text is the PEM of an RSA public key.
func IsPublicKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	_, ok := key.(*rsa.PublicKey)
	return err == nil && ok
}
