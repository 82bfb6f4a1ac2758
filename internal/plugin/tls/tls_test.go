package tls_test

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"golang.org/x/crypto/ssh"

	"nova.dev/infra/internal/plugin/tls"
)

// create makes a resource and returns its state with secrets taken out.
func create(t *testing.T, kind string, in map[string]any) (plugin.CreateResponse, map[string]any, error) {
	t.Helper()
	module := strings.ToLower(kind[:1]) + kind[1:]
	u := resource.NewURN("test", "test", "", tokens.Type("tls:index/"+module+":"+kind), "it")
	p := tls.New(nil)
	checked, err := p.Check(t.Context(), plugin.CheckRequest{URN: u, Type: u.Type(), News: resource.NewPropertyMapFromMap(in)})
	if err != nil || len(checked.Failures) > 0 {
		t.Fatal(err, checked.Failures)
	}
	created, err := p.Create(t.Context(), plugin.CreateRequest{URN: u, Type: u.Type(), Properties: checked.Properties})
	plain := created.Properties.MapRepl(nil, func(v resource.PropertyValue) (any, bool) {
		if v.IsSecret() {
			return v.SecretValue().Element.V, true
		}
		return nil, false
	})
	return created, plain, err
}

func mustCreate(t *testing.T, kind string, in map[string]any) (plugin.CreateResponse, map[string]any) {
	t.Helper()
	created, plain, err := create(t, kind, in)
	if err != nil {
		t.Fatal(err)
	}
	return created, plain
}

func block(t *testing.T, text any) *pem.Block {
	t.Helper()
	b, rest := pem.Decode([]byte(text.(string)))
	if b == nil || len(rest) > 0 {
		t.Fatal("not one PEM block")
	}
	return b
}

func TestPrivateKey_is_given_in_all_forms(t *testing.T) {
	for _, tc := range []struct {
		name, kind string
		in         map[string]any
		openssh    bool
	}{
		{"RSA", "RSA PRIVATE KEY", map[string]any{"algorithm": "RSA"}, true},
		{"ECDSA on the default curve", "EC PRIVATE KEY", map[string]any{"algorithm": "ECDSA"}, false},
		{"ECDSA on P256", "EC PRIVATE KEY", map[string]any{"algorithm": "ECDSA", "ecdsaCurve": "P256"}, true},
		{"ED25519", "PRIVATE KEY", map[string]any{"algorithm": "ED25519"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			created, state := mustCreate(t, "PrivateKey", tc.in)
			for _, name := range []resource.PropertyKey{"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"} {
				if !created.Properties[name].IsSecret() {
					t.Errorf("%s is not secret", name)
				}
			}
			if got := block(t, state["privateKeyPem"]).Type; got != tc.kind {
				t.Errorf("the key is a %s, want a %s", got, tc.kind)
			}
			key, err := x509.ParsePKCS8PrivateKey(block(t, state["privateKeyPemPkcs8"]).Bytes)
			if err != nil {
				t.Fatal(err)
			}
			signer, err := ssh.NewSignerFromKey(key)
			if tc.openssh != (err == nil) {
				t.Fatalf("OpenSSH: %v", err)
			}
			if tc.openssh {
				if state["publicKeyFingerprintSha256"] != ssh.FingerprintSHA256(signer.PublicKey()) ||
					state["publicKeyFingerprintMd5"] != ssh.FingerprintLegacyMD5(signer.PublicKey()) ||
					state["publicKeyOpenssh"] != string(ssh.MarshalAuthorizedKey(signer.PublicKey())) {
					t.Error("the public key does not belong to the private key")
				}
				parsed, err := ssh.ParsePrivateKey([]byte(state["privateKeyOpenssh"].(string)))
				if err != nil || string(parsed.PublicKey().Marshal()) != string(signer.PublicKey().Marshal()) {
					t.Errorf("the OpenSSH key is another one (%v)", err)
				}
			} else if state["privateKeyOpenssh"] != "" || state["publicKeyOpenssh"] != "" {
				t.Error("OpenSSH does not know this curve")
			}
			if _, err := x509.ParsePKIXPublicKey(block(t, state["publicKeyPem"]).Bytes); err != nil {
				t.Error(err)
			}
			if len(created.ID) != 40 || state["__meta"] != `{"schema_version":"1"}` || state["rsaBits"] != 2048.0 {
				t.Errorf("id %s, meta %v, rsaBits %v", created.ID, state["__meta"], state["rsaBits"])
			}
		})
	}
}

func TestCertificate_authority_signs_a_request(t *testing.T) {
	_, authorityKey := mustCreate(t, "PrivateKey", map[string]any{"algorithm": "ECDSA", "ecdsaCurve": "P256"})
	_, key := mustCreate(t, "PrivateKey", map[string]any{"algorithm": "ED25519"})
	created, authority := mustCreate(t, "SelfSignedCert", map[string]any{
		"privateKeyPem": authorityKey["privateKeyPem"], "isCaCertificate": true, "validityPeriodHours": 24,
		"allowedUses": []any{"cert_signing", "crl_signing"}, "subject": map[string]any{"commonName": "Nova CA", "organization": "Nova"},
	})
	if !created.Properties["privateKeyPem"].IsSecret() {
		t.Error("the private key of a certificate is not secret in the state")
	}
	_, request := mustCreate(t, "CertRequest", map[string]any{
		"privateKeyPem": key["privateKeyPem"], "dnsNames": []any{"auth.nova.dev"}, "ipAddresses": []any{"10.0.0.1"},
		"subject": map[string]any{"commonName": "auth"},
	})
	_, signed := mustCreate(t, "LocallySignedCert", map[string]any{
		"certRequestPem": request["certRequestPem"], "caCertPem": authority["certPem"], "caPrivateKeyPem": authorityKey["privateKeyPem"],
		"validityPeriodHours": 12, "allowedUses": []any{"digital_signature", "server_auth"},
	})
	certificate, err := x509.ParseCertificate(block(t, signed["certPem"]).Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(authority["certPem"].(string))) {
		t.Fatal("the authority's certificate cannot be used")
	}
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: "auth.nova.dev"}); err != nil {
		t.Error(err)
	}
	if !certificate.IPAddresses[0].Equal(net.IPv4(10, 0, 0, 1)) || certificate.Subject.CommonName != "auth" {
		t.Errorf("the certificate is for %v, %v", certificate.IPAddresses, certificate.Subject)
	}
	end, err := time.Parse(time.RFC3339, signed["validityEndTime"].(string))
	if err != nil || time.Until(end) > 12*time.Hour || time.Until(end) < 11*time.Hour {
		t.Errorf("it ends at %s (%v)", end, err)
	}
}

func TestCertificate_mistakes_are_reported_without_the_key(t *testing.T) {
	_, key := mustCreate(t, "PrivateKey", map[string]any{"algorithm": "ED25519"})
	valid := func(more map[string]any) map[string]any {
		in := map[string]any{"privateKeyPem": key["privateKeyPem"], "validityPeriodHours": 1, "allowedUses": []any{"server_auth"}}
		for name, value := range more {
			in[name] = value
		}
		return in
	}
	for _, tc := range []struct {
		name string
		in   map[string]any
		want string
	}{
		{"no PEM", valid(map[string]any{"privateKeyPem": "sesame"}), "privateKeyPem holds no PEM block"},
		{"another PEM", valid(map[string]any{"privateKeyPem": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"}), "holds a CERTIFICATE"},
		{"a broken key", valid(map[string]any{"privateKeyPem": "-----BEGIN PRIVATE KEY-----\nc2VzYW1l\n-----END PRIVATE KEY-----\n"}), "cannot be read"},
		{"an unknown use", valid(map[string]any{"allowedUses": []any{"serve"}}), `allowedUses: "serve" is unknown; known are any_extended`},
		{"a wrong address", valid(map[string]any{"ipAddresses": []any{"10.0.0"}}), `ipAddresses: "10.0.0" is no IP address`},
		{"an unknown name", valid(map[string]any{"subject": map[string]any{"cn": "x"}}), "subject.cn is not a field of a distinguished name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := create(t, "SelfSignedCert", tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "sesame") {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
