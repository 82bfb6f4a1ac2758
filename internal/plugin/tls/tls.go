// Package tls is a stand-in for the Pulumi tls provider plugin: private keys,
// certificate requests and certificates. Its state has the shape of the
// plugin's, which bridges terraform-provider-tls 4.
package tls

import (
	"log/slog"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"nova.dev/infra/internal/plugin/generated"
)

// Version is the version of the pulumi-tls SDK whose plugin this package
// stands in for.
const Version = "5.2.0"

// New makes a provider. The logger may be nil.
func New(logger *slog.Logger) *generated.Provider {
	return generated.New("tls", Version, logger, kinds)
}

type inputs = map[resource.PropertyKey]generated.Input

// kinds has the types of the package with their ids, outputs and defaults as
// in terraform-provider-tls 4.0 and pulumi-tls 5.2.0.
var kinds = map[tokens.Type]generated.Kind{
	"tls:index/privateKey:PrivateKey": {
		Inputs: inputs{
			"algorithm":  generated.OneOf("RSA", "ECDSA", "ED25519").Required(),
			"rsaBits":    generated.Whole(leastBits).Or(2048),
			"ecdsaCurve": generated.OneOf("P224", "P256", "P384", "P521").Or("P224"),
		},
		Outputs: []resource.PropertyKey{
			"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh", "publicKeyPem", "publicKeyOpenssh",
			"publicKeyFingerprintMd5", "publicKeyFingerprintSha256",
		},
		Secrets: []resource.PropertyKey{"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"},
		Schema:  1,
		Make:    makePrivateKey,
	},
	"tls:index/certRequest:CertRequest": {
		Inputs:  names(inputs{"privateKeyPem": generated.Text.Required()}),
		Outputs: []resource.PropertyKey{"certRequestPem", "keyAlgorithm"},
		Secrets: []resource.PropertyKey{"privateKeyPem"},
		Make:    makeRequest,
	},
	"tls:index/selfSignedCert:SelfSignedCert": {
		Inputs: validity(names(inputs{
			"privateKeyPem":     generated.Text.Required(),
			"setAuthorityKeyId": generated.Flag.Or(false),
		})),
		Outputs: certificateOutputs("keyAlgorithm"),
		Secrets: []resource.PropertyKey{"privateKeyPem"},
		Make:    makeSelfSigned,
	},
	"tls:index/locallySignedCert:LocallySignedCert": {
		Inputs: validity(inputs{
			"certRequestPem":  generated.Text.Required(),
			"caCertPem":       generated.Text.Required(),
			"caPrivateKeyPem": generated.Text.Required(),
		}),
		Outputs: certificateOutputs("caKeyAlgorithm"),
		Secrets: []resource.PropertyKey{"caPrivateKeyPem"},
		Make:    makeLocallySigned,
	},
}

func names(more inputs) inputs {
	more["dnsNames"] = generated.TextList
	more["ipAddresses"] = generated.TextList
	more["uris"] = generated.TextList
	more["subject"] = generated.Object
	return more
}

func validity(more inputs) inputs {
	more["validityPeriodHours"] = generated.Whole(1).Required()
	more["earlyRenewalHours"] = generated.Whole(0).Or(0)
	more["allowedUses"] = generated.TextList.Required()
	more["isCaCertificate"] = generated.Flag.Or(false)
	more["setSubjectKeyId"] = generated.Flag.Or(false)
	return more
}

func certificateOutputs(more ...resource.PropertyKey) []resource.PropertyKey {
	return append(more, "certPem", "readyForRenewal", "validityStartTime", "validityEndTime")
}
