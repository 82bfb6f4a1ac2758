// Package random is a stand-in for the Pulumi random provider plugin. Its
// values come from crypto/rand; its state has the shape of the plugin's, which
// bridges terraform-provider-random 3.
package random

import (
	"fmt"
	"log/slog"
	"math"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"nova.dev/infra/internal/plugin/generated"
)

// Version is the version of the pulumi-random SDK whose plugin this package
// stands in for.
const Version = "4.19.2"

// New makes a provider. The logger may be nil.
func New(logger *slog.Logger) *generated.Provider {
	return generated.New("random", Version, logger, kinds)
}

type inputs = map[resource.PropertyKey]generated.Input

// kinds has the types of the package with their ids, outputs and defaults as
// in terraform-provider-random 3.7 and pulumi-random 4.19.2.
var kinds = map[tokens.Type]generated.Kind{
	"random:index/randomPassword:RandomPassword": {
		Inputs:  characterInputs,
		Outputs: []resource.PropertyKey{"result", "bcryptHash"},
		Secrets: []resource.PropertyKey{"result", "bcryptHash"},
		Schema:  3,
		Make:    drawPassword,
		Rules:   characterRules,
	},
	"random:index/randomString:RandomString": {
		Inputs:  characterInputs,
		Outputs: []resource.PropertyKey{"result"},
		Schema:  2,
		Make:    drawString,
		Rules:   characterRules,
	},
	"random:index/randomBytes:RandomBytes": {
		Inputs:  inputs{"length": generated.Whole(1).Required(), "keepers": generated.TextMap},
		Outputs: []resource.PropertyKey{"base64", "hex"},
		Secrets: []resource.PropertyKey{"base64", "hex"},
		Make:    drawBytes,
	},
	"random:index/randomId:RandomId": {
		Inputs:  inputs{"byteLength": generated.Whole(1).Required(), "prefix": generated.Text, "keepers": generated.TextMap},
		Outputs: []resource.PropertyKey{"b64Std", "b64Url", "dec", "hex"},
		Make:    drawID,
	},
	"random:index/randomUuid:RandomUuid": {
		Inputs:  inputs{"keepers": generated.TextMap},
		Outputs: []resource.PropertyKey{"result"},
		Make:    drawUUID,
	},
	"random:index/randomInteger:RandomInteger": {
		Inputs: inputs{
			"min": generated.Whole(math.MinInt32).Required(), "max": generated.Whole(math.MinInt32).Required(), "keepers": generated.TextMap,
		},
		Outputs: []resource.PropertyKey{"result"},
		Make:    drawInteger,
		Rules: func(inputs resource.PropertyMap) []plugin.CheckFailure {
			least, most := generated.Number(inputs["min"]), generated.Number(inputs["max"])
			if least > most {
				return []plugin.CheckFailure{{Property: "max", Reason: fmt.Sprintf("is %d, must be at least min, %d", most, least)}}
			}
			return nil
		},
	},
}

var characterInputs = inputs{
	"length":          generated.Whole(1).Required(),
	"special":         generated.Flag.Or(true),
	"upper":           generated.Flag.Or(true),
	"lower":           generated.Flag.Or(true),
	"numeric":         generated.Flag.Or(true).Alias("number"),
	"number":          generated.Flag.Or(true).Alias("numeric"),
	"minSpecial":      generated.Whole(0).Or(0),
	"minUpper":        generated.Whole(0).Or(0),
	"minLower":        generated.Whole(0).Or(0),
	"minNumeric":      generated.Whole(0).Or(0),
	"overrideSpecial": generated.Text,
	"keepers":         generated.TextMap,
}

func characterRules(inputs resource.PropertyMap) []plugin.CheckFailure {
	var failures []plugin.CheckFailure
	classes := characterClasses(inputs)
	least, some := 0, false
	for _, class := range classes {
		least += class.least
		some = some || class.use
	}
	if length := generated.Number(inputs["length"]); length < least {
		failures = append(failures, plugin.CheckFailure{
			Property: "length",
			Reason:   fmt.Sprintf("is %d, must be at least %d, the sum of minSpecial, minUpper, minLower and minNumeric", length, least),
		})
	}
	if !some {
		failures = append(failures, plugin.CheckFailure{
			Property: "special",
			Reason:   "at least one of special, upper, lower and numeric must be true",
		})
	}
	if generated.Bool(inputs["numeric"]) != generated.Bool(inputs["number"]) {
		failures = append(failures, plugin.CheckFailure{
			Property: "number", Reason: "is the old name of numeric and must not differ from it",
		})
	}
	return failures
}
