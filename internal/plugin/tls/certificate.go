package tls

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"nova.dev/infra/internal/plugin/generated"
)

func makeRequest(in resource.PropertyMap) (string, resource.PropertyMap, error) {
	key, algorithm, err := parseKey("privateKeyPem", generated.String(in["privateKeyPem"]))
	if err != nil {
		return "", nil, err
	}
	subject, err := subjectOf(in["subject"])
	if err != nil {
		return "", nil, err
	}
	request := &x509.CertificateRequest{Subject: subject, DNSNames: generated.Strings(in["dnsNames"])}
	if request.IPAddresses, request.URIs, err = addresses(in); err != nil {
		return "", nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, request, key)
	if err != nil {
		return "", nil, fmt.Errorf("create the certificate request: %w", err)
	}
	text := encode("CERTIFICATE REQUEST", der)
	return idOf(text), texts(map[resource.PropertyKey]string{"certRequestPem": text, "keyAlgorithm": algorithm}), nil
}

func makeSelfSigned(in resource.PropertyMap) (string, resource.PropertyMap, error) {
	key, algorithm, err := parseKey("privateKeyPem", generated.String(in["privateKeyPem"]))
	if err != nil {
		return "", nil, err
	}
	subject, err := subjectOf(in["subject"])
	if err != nil {
		return "", nil, err
	}
	certificate := &x509.Certificate{Subject: subject, DNSNames: generated.Strings(in["dnsNames"])}
	if certificate.IPAddresses, certificate.URIs, err = addresses(in); err != nil {
		return "", nil, err
	}
	if generated.Bool(in["setAuthorityKeyId"]) {
		if certificate.AuthorityKeyId, err = keyID(key.Public()); err != nil {
			return "", nil, err
		}
	}
	id, out, err := sign(in, certificate, certificate, key.Public(), key)
	out["keyAlgorithm"] = resource.NewStringProperty(algorithm)
	return id, out, err
}

func makeLocallySigned(in resource.PropertyMap) (string, resource.PropertyMap, error) {
	requestDER, err := decode("certRequestPem", "CERTIFICATE REQUEST", in)
	if err != nil {
		return "", nil, err
	}
	request, err := x509.ParseCertificateRequest(requestDER)
	if err != nil {
		return "", nil, fmt.Errorf("certRequestPem: %w", err)
	}
	if err := request.CheckSignature(); err != nil {
		return "", nil, fmt.Errorf("certRequestPem: %w", err)
	}
	authorityDER, err := decode("caCertPem", "CERTIFICATE", in)
	if err != nil {
		return "", nil, err
	}
	authority, err := x509.ParseCertificate(authorityDER)
	if err != nil {
		return "", nil, fmt.Errorf("caCertPem: %w", err)
	}
	key, algorithm, err := parseKey("caPrivateKeyPem", generated.String(in["caPrivateKeyPem"]))
	if err != nil {
		return "", nil, err
	}
	certificate := &x509.Certificate{
		Subject: request.Subject, DNSNames: request.DNSNames, IPAddresses: request.IPAddresses, URIs: request.URIs,
	}
	id, out, err := sign(in, certificate, authority, request.PublicKey, key)
	out["caKeyAlgorithm"] = resource.NewStringProperty(algorithm)
	return id, out, err
}

// serialBits is the size of a serial number, at most 20 octets by RFC 5280.
const serialBits = 128

func sign(
	in resource.PropertyMap, certificate, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer,
) (string, resource.PropertyMap, error) {
	out := resource.PropertyMap{}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return "", out, err
	}
	certificate.SerialNumber = serial
	certificate.BasicConstraintsValid = true
	certificate.NotBefore = time.Now()
	certificate.NotAfter = certificate.NotBefore.Add(time.Duration(generated.Number(in["validityPeriodHours"])) * time.Hour)
	if err := allow(certificate, generated.Strings(in["allowedUses"])); err != nil {
		return "", out, err
	}
	certificate.IsCA = generated.Bool(in["isCaCertificate"])
	if certificate.IsCA || generated.Bool(in["setSubjectKeyId"]) {
		if certificate.SubjectKeyId, err = keyID(public); err != nil {
			return "", out, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, parent, public, key)
	if err != nil {
		return "", out, fmt.Errorf("create the certificate: %w", err)
	}
	out = texts(map[resource.PropertyKey]string{
		"certPem":           encode("CERTIFICATE", der),
		"validityStartTime": certificate.NotBefore.Format(time.RFC3339),
		"validityEndTime":   certificate.NotAfter.Format(time.RFC3339),
	})
	out["readyForRenewal"] = resource.NewBoolProperty(false)
	return serial.String(), out, nil
}

func decode(property resource.PropertyKey, kind string, in resource.PropertyMap) ([]byte, error) {
	block, _ := pem.Decode([]byte(generated.String(in[property])))
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s must hold a PEM block of the type %s", property, kind)
	}
	return block.Bytes, nil
}

func idOf(text string) string {
	sum := sha1.Sum([]byte(strings.TrimSpace(text)))
	return fmt.Sprintf("%x", sum)
}

// keyID is the identifier of a public key by RFC 5280, 4.2.1.2 (1).
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, err
	}
	sum := sha1.Sum(info.Key.Bytes)
	return sum[:], nil
}

func subjectOf(v resource.PropertyValue) (pkix.Name, error) {
	fields := generated.Plain(v)
	if !fields.IsObject() {
		return pkix.Name{}, nil
	}
	name := pkix.Name{}
	lists := map[resource.PropertyKey]*[]string{
		"country": &name.Country, "locality": &name.Locality, "organization": &name.Organization,
		"organizationalUnit": &name.OrganizationalUnit, "postalCode": &name.PostalCode, "province": &name.Province,
	}
	for key, value := range fields.ObjectValue() {
		list, ok := lists[key]
		switch {
		case generated.Plain(value).IsNull():
		case ok:
			*list = []string{generated.String(value)}
		case key == "commonName":
			name.CommonName = generated.String(value)
		case key == "serialNumber":
			name.SerialNumber = generated.String(value)
		case key == "streetAddresses":
			name.StreetAddress = generated.Strings(value)
		case key == "emailAddress":
			// PKCS #9 emailAddress.
			name.ExtraNames = append(name.ExtraNames, pkix.AttributeTypeAndValue{
				Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: generated.String(value),
			})
		default:
			return name, fmt.Errorf("subject.%s is not a field of a distinguished name", key)
		}
	}
	return name, nil
}

func addresses(in resource.PropertyMap) ([]net.IP, []*url.URL, error) {
	var ips []net.IP
	for _, text := range generated.Strings(in["ipAddresses"]) {
		ip := net.ParseIP(text)
		if ip == nil {
			return nil, nil, fmt.Errorf("ipAddresses: %q is no IP address", text)
		}
		ips = append(ips, ip)
	}
	var uris []*url.URL
	for _, text := range generated.Strings(in["uris"]) {
		uri, err := url.Parse(text)
		if err != nil {
			return nil, nil, fmt.Errorf("uris: %q is no URI", text)
		}
		uris = append(uris, uri)
	}
	return ips, uris, nil
}

var keyUses = map[string]x509.KeyUsage{
	"digital_signature":  x509.KeyUsageDigitalSignature,
	"content_commitment": x509.KeyUsageContentCommitment,
	"key_encipherment":   x509.KeyUsageKeyEncipherment,
	"data_encipherment":  x509.KeyUsageDataEncipherment,
	"key_agreement":      x509.KeyUsageKeyAgreement,
	"cert_signing":       x509.KeyUsageCertSign,
	"crl_signing":        x509.KeyUsageCRLSign,
	"encipher_only":      x509.KeyUsageEncipherOnly,
	"decipher_only":      x509.KeyUsageDecipherOnly,
}

var extendedUses = map[string]x509.ExtKeyUsage{
	"any_extended":     x509.ExtKeyUsageAny,
	"server_auth":      x509.ExtKeyUsageServerAuth,
	"client_auth":      x509.ExtKeyUsageClientAuth,
	"code_signing":     x509.ExtKeyUsageCodeSigning,
	"email_protection": x509.ExtKeyUsageEmailProtection,
	"timestamping":     x509.ExtKeyUsageTimeStamping,
	"ocsp_signing":     x509.ExtKeyUsageOCSPSigning,
}

func allow(certificate *x509.Certificate, uses []string) error {
	for _, use := range uses {
		if bit, ok := keyUses[use]; ok {
			certificate.KeyUsage |= bit
		} else if extended, ok := extendedUses[use]; ok {
			certificate.ExtKeyUsage = append(certificate.ExtKeyUsage, extended)
		} else {
			known := slices.Concat(slices.Collect(maps.Keys(keyUses)), slices.Collect(maps.Keys(extendedUses)))
			slices.Sort(known)
			return fmt.Errorf("allowedUses: %q is unknown; known are %s", use, strings.Join(known, ", "))
		}
	}
	return nil
}
