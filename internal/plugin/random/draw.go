package random

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"strconv"

	"github.com/google/uuid"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/bcrypt"

	"nova.dev/infra/internal/plugin/generated"
)

// noID is the id of values which are secret.
const noID = "none"

// Characters of terraform-provider-random, internal/random/string.go.
const (
	numerics = "0123456789"
	lowers   = "abcdefghijklmnopqrstuvwxyz"
	uppers   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	specials = "!@#$%&*()-_=+[]{}<>:?"
)

type characterClass struct {
	characters string
	use        bool
	least      int
}

func characterClasses(inputs resource.PropertyMap) []characterClass {
	special := specials
	if override := generated.String(inputs["overrideSpecial"]); override != "" {
		special = override
	}
	class := func(characters string, use, least resource.PropertyKey) characterClass {
		return characterClass{characters, generated.Bool(inputs[use]), generated.Number(inputs[least])}
	}
	return []characterClass{
		class(numerics, "numeric", "minNumeric"),
		class(lowers, "lower", "minLower"),
		class(uppers, "upper", "minUpper"),
		class(special, "special", "minSpecial"),
	}
}

// drawCharacters draws the least number of each class, fills up from all, and
// shuffles, so that each place is equally likely for each class.
func drawCharacters(inputs resource.PropertyMap) (string, error) {
	var all, drawn []byte
	for _, class := range characterClasses(inputs) {
		if class.use {
			all = append(all, class.characters...)
		}
		for range class.least {
			c, err := pick([]byte(class.characters))
			if err != nil {
				return "", err
			}
			drawn = append(drawn, c)
		}
	}
	for len(drawn) < generated.Number(inputs["length"]) {
		c, err := pick(all)
		if err != nil {
			return "", err
		}
		drawn = append(drawn, c)
	}
	for i := len(drawn) - 1; i > 0; i-- {
		j, err := below(int64(i + 1))
		if err != nil {
			return "", err
		}
		drawn[i], drawn[j] = drawn[j], drawn[i]
	}
	return string(drawn), nil
}

func pick(from []byte) (byte, error) {
	if len(from) == 0 {
		return 0, errors.New("there are no characters to draw from")
	}
	i, err := below(int64(len(from)))
	if err != nil {
		return 0, err
	}
	return from[i], nil
}

func below(limit int64) (int64, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(limit))
	if err != nil {
		return 0, err
	}
	return n.Int64(), nil
}

func drawString(inputs resource.PropertyMap) (string, resource.PropertyMap, error) {
	drawn, err := drawCharacters(inputs)
	return drawn, resource.PropertyMap{"result": resource.NewStringProperty(drawn)}, err
}

// longestHashed is the number of bytes that bcrypt hashes; the plugin also
// truncates to it.
const longestHashed = 72

func drawPassword(inputs resource.PropertyMap) (string, resource.PropertyMap, error) {
	drawn, err := drawCharacters(inputs)
	if err != nil {
		return "", nil, err
	}
	// The plugin hashes at the default cost, half a CPU second for the passwords
	// of a stack. Nothing reads these hashes.
	hash, err := bcrypt.GenerateFromPassword([]byte(drawn[:min(len(drawn), longestHashed)]), bcrypt.MinCost)
	if err != nil {
		return "", nil, errors.New("the password cannot be hashed")
	}
	return noID, resource.PropertyMap{
		"result":     resource.NewStringProperty(drawn),
		"bcryptHash": resource.NewStringProperty(string(hash)),
	}, nil
}

func drawBytes(inputs resource.PropertyMap) (string, resource.PropertyMap, error) {
	drawn := make([]byte, generated.Number(inputs["length"]))
	if _, err := rand.Read(drawn); err != nil {
		return "", nil, err
	}
	return noID, resource.PropertyMap{
		"base64": resource.NewStringProperty(base64.StdEncoding.EncodeToString(drawn)),
		"hex":    resource.NewStringProperty(hex.EncodeToString(drawn)),
	}, nil
}

func drawID(inputs resource.PropertyMap) (string, resource.PropertyMap, error) {
	drawn := make([]byte, generated.Number(inputs["byteLength"]))
	if _, err := rand.Read(drawn); err != nil {
		return "", nil, err
	}
	prefix := generated.String(inputs["prefix"])
	prefixed := func(text string) resource.PropertyValue { return resource.NewStringProperty(prefix + text) }
	url := base64.RawURLEncoding.EncodeToString(drawn)
	return url, resource.PropertyMap{
		"b64Std": prefixed(base64.StdEncoding.EncodeToString(drawn)),
		"b64Url": prefixed(url),
		"dec":    prefixed(new(big.Int).SetBytes(drawn).String()),
		"hex":    prefixed(hex.EncodeToString(drawn)),
	}, nil
}

func drawUUID(resource.PropertyMap) (string, resource.PropertyMap, error) {
	drawn, err := uuid.NewRandom()
	return drawn.String(), resource.PropertyMap{"result": resource.NewStringProperty(drawn.String())}, err
}

func drawInteger(inputs resource.PropertyMap) (string, resource.PropertyMap, error) {
	least, most := int64(generated.Number(inputs["min"])), int64(generated.Number(inputs["max"]))
	drawn, err := below(most - least + 1)
	drawn += least
	return strconv.FormatInt(drawn, 10), resource.PropertyMap{"result": resource.NewNumberProperty(float64(drawn))}, err
}
