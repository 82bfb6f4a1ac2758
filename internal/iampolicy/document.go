package iampolicy

import (
	"encoding/json"
	"fmt"
)

// languageVersion is the current version of the policy language.
const languageVersion = "2012-10-17"

// Document is a policy.
type Document struct {
	Version    string
	Statements []Statement `json:"Statement"`
}

// Statement allows or denies actions.
type Statement struct {
	ID     string `json:"Sid,omitempty"`
	Effect Effect
	// Principal is whom the statement applies to; nil in the policy of a role,
	// which applies to the role itself.
	Principal *Principal `json:",omitempty"`
	Actions   []string   `json:"Action"`
	// Resources are ARNs; none in a trust policy, which applies to its role.
	Resources  []string   `json:"Resource,omitempty"`
	Conditions Conditions `json:"Condition,omitempty"`
}

// Effect is Allow or Deny.
type Effect string

// The effects.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Principal is whom a statement applies to.
type Principal struct {
	AWS       []string `json:",omitempty"`
	Federated []string `json:",omitempty"`
	Service   []string `json:",omitempty"`
}

// Conditions are the values that a request must have, by operator and key. All
// of them must hold.
type Conditions map[string]map[string][]string

// everybody is the principal that matches everyone.
const everybody = "*"

func newDocument(statements ...Statement) Document {
	return Document{Version: languageVersion, Statements: statements}
}

// JSON is the document as AWS reads it. It fails where Validate does.
func (d Document) JSON() (string, error) {
	if err := d.Validate(); err != nil {
		return "", err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("policy document: %w", err)
	}
	return string(text), nil
}
