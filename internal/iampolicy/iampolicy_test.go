package iampolicy_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/iampolicy"
)

const key = "arn:aws:kms:eu-central-1:111122223333:key/1234"

func account() iampolicy.ServiceAccount {
	return iampolicy.ServiceAccount{
		AWSAccount: "111122223333", Issuer: "oidc.example.com/id/ABC", Namespace: "nova-backend", Name: "media-service",
	}
}

func TestDocument_is_written_as_AWS_reads_it(t *testing.T) {
	for name, tc := range map[string]struct {
		document iampolicy.Document
		want     string
	}{
		"trust": {iampolicy.Trust(account()), `{"Version":"2012-10-17","Statement":[{
			"Effect":"Allow",
			"Principal":{"Federated":["arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/ABC"]},
			"Action":["sts:AssumeRoleWithWebIdentity"],
			"Condition":{"StringEquals":{
				"oidc.example.com/id/ABC:sub":["system:serviceaccount:nova-backend:media-service"],
				"oidc.example.com/id/ABC:aud":["sts.amazonaws.com"]}}}]}`},
		"objects": {iampolicy.ObjectAccess([]iampolicy.Grant{{Bucket: "b", Actions: []string{"s3:PutObject"}}}, ""), `{"Version":"2012-10-17","Statement":[{
			"Effect":"Allow","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::b/*"]}]}`},
		"objects and their names": {iampolicy.ObjectAccess([]iampolicy.Grant{{Bucket: "b", Actions: []string{"s3:GetObject"}, List: true}}, ""), `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"]},
			{"Effect":"Allow","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::b"]}]}`},
		"objects under a key": {iampolicy.ObjectAccess([]iampolicy.Grant{
			{Bucket: "b", Actions: []string{"s3:PutObject"}}, {Bucket: "c", Actions: []string{"s3:GetObject", "s3:PutObject"}},
		}, key), `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::b/*"]},
			{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":["arn:aws:s3:::c/*"]},
			{"Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":["` + key + `"]}]}`},
		"deletion under a key": {iampolicy.ObjectAccess([]iampolicy.Grant{{Bucket: "b", Actions: []string{"s3:DeleteObject"}}}, key), `{"Version":"2012-10-17","Statement":[{
			"Effect":"Allow","Action":["s3:DeleteObject"],"Resource":["arn:aws:s3:::b/*"]}]}`},
		"read by a distribution": {iampolicy.Bucket("b", []string{"arn:aws:cloudfront::111122223333:distribution/E1"}), `{"Version":"2012-10-17","Statement":[{
			"Sid":"DenyWithoutTLS","Effect":"Deny","Principal":{"AWS":["*"]},"Action":["s3:*"],
			"Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],
			"Condition":{"Bool":{"aws:SecureTransport":["false"]}}},{
			"Sid":"AllowDistributionsToRead","Effect":"Allow","Principal":{"Service":["cloudfront.amazonaws.com"]},
			"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"],
			"Condition":{"StringEquals":{"AWS:SourceArn":["arn:aws:cloudfront::111122223333:distribution/E1"]}}}]}`},
		"read by nobody": {iampolicy.Bucket("b", nil), `{"Version":"2012-10-17","Statement":[{
			"Sid":"DenyWithoutTLS","Effect":"Deny","Principal":{"AWS":["*"]},"Action":["s3:*"],
			"Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],
			"Condition":{"Bool":{"aws:SecureTransport":["false"]}}}]}`},
		"TLS only": {iampolicy.TLSOnly("b"), `{"Version":"2012-10-17","Statement":[{
			"Sid":"DenyWithoutTLS","Effect":"Deny","Principal":{"AWS":["*"]},"Action":["s3:*"],
			"Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],
			"Condition":{"Bool":{"aws:SecureTransport":["false"]}}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := tc.document.JSON()
			require.NoError(t, err)
			assert.JSONEq(t, tc.want, text)
			var read iampolicy.Document
			require.NoError(t, json.Unmarshal([]byte(text), &read))
			assert.Equal(t, tc.document, read)
		})
	}
}

func TestDocument_that_grants_too_much_is_refused(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*iampolicy.Statement)
		want  string
	}{
		"every action of a service":  {func(s *iampolicy.Statement) { s.Actions = []string{"s3:*"} }, `action "s3:*" is not a single action`},
		"a pattern of actions":       {func(s *iampolicy.Statement) { s.Actions = []string{"s3:Put?bject"} }, `action "s3:Put?bject" is not`},
		"every action":               {func(s *iampolicy.Statement) { s.Actions = []string{"*"} }, `action "*" is not`},
		"no action":                  {func(s *iampolicy.Statement) { s.Actions = nil }, "it has no action"},
		"every resource":             {func(s *iampolicy.Statement) { s.Resources = []string{"*"} }, `resource "*" is not an ARN`},
		"every bucket":               {func(s *iampolicy.Statement) { s.Resources = []string{"arn:aws:s3:::*"} }, `resource "arn:aws:s3:::*" has a wildcard`},
		"the objects of many":        {func(s *iampolicy.Statement) { s.Resources = []string{"arn:aws:s3:::nova-*/*"} }, "has a wildcard; only the objects of a bucket may"},
		"everything below an ARN":    {func(s *iampolicy.Statement) { s.Resources = []string{"arn:aws:kms:eu-central-1:1:key/*"} }, "has a wildcard; only the objects of a bucket may"},
		"neither whom nor what":      {func(s *iampolicy.Statement) { s.Resources = nil }, "neither a principal nor a resource"},
		"everybody":                  {func(s *iampolicy.Statement) { s.Principal = &iampolicy.Principal{AWS: []string{"*"}} }, "it allows everybody"},
		"a provider's every account": {func(s *iampolicy.Statement) { s.Principal = &iampolicy.Principal{Federated: []string{"arn:x"}} }, "it trusts every identity of arn:x"},
		"anybody's distribution": {func(s *iampolicy.Statement) {
			s.Principal = &iampolicy.Principal{Service: []string{"cloudfront.amazonaws.com"}}
		}, "it trusts every account's cloudfront.amazonaws.com"},
		"many distributions": {func(s *iampolicy.Statement) {
			s.Principal = &iampolicy.Principal{Service: []string{"cloudfront.amazonaws.com"}}
			s.Conditions = iampolicy.Conditions{"StringEquals": {"AWS:SourceArn": {"arn:aws:cloudfront::1:distribution/*"}}}
		}, `source "arn:aws:cloudfront::1:distribution/*" is not the ARN of one resource`},
		"every service of AWS": {func(s *iampolicy.Statement) { s.Principal = &iampolicy.Principal{Service: []string{"*"}} }, "it allows everybody"},
		"neither effect":       {func(s *iampolicy.Statement) { s.Effect = "allow" }, `effect "allow" is neither Allow nor Deny`},
	} {
		t.Run(name, func(t *testing.T) {
			document := iampolicy.ObjectAccess([]iampolicy.Grant{{Bucket: "b", Actions: []string{"s3:PutObject"}}}, "")
			tc.spoil(&document.Statements[0])
			text, err := document.JSON()
			assert.ErrorContains(t, err, tc.want)
			assert.Empty(t, text)
		})
	}
}

func TestDocument_reports_every_problem(t *testing.T) {
	err := iampolicy.Document{Version: "2008-10-17"}.Validate()
	assert.ErrorContains(t, err, `version "2008-10-17" is not 2012-10-17`)
	assert.ErrorContains(t, err, "no statement")
}
