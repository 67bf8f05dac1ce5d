// The old tools' reader of accounts files, as a program: go-ini with the options that they give it, and saml2aws's own package.
//
//	goini read FILE            what login of saml2aws reads, as JSON: account, key, value; null if it refuses the file
//	goini plain FILE           the same as configure of both tools and login of saml2alibabacloud read it
//	goini account FILE NAME    an account as saml2aws has it, defaults included
//	goini save FILE NAME K=V…  changes an account as configure of saml2aws does
//	goini random SEED COUNT    texts by chance, each with what "read" says of it
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/versent/saml2aws/v2/pkg/cfg"
	"gopkg.in/ini.v1"
)

var (
	login     = ini.LoadOptions{Loose: true, SpaceBeforeInlineComment: true}
	configure = ini.LoadOptions{Loose: true}
)

type accounts map[string]map[string]string

// read asks for every key of the file in every section, since a section also has what its parents say.
func read(options ini.LoadOptions, source interface{}) accounts {
	file, err := ini.LoadSources(options, source)
	if err != nil {
		return nil
	}
	keys := map[string]bool{}
	for _, section := range file.Sections() {
		for _, key := range section.KeyStrings() {
			keys[key] = true
		}
	}
	found := accounts{}
	for _, section := range file.Sections() {
		if section.Name() == ini.DefaultSection {
			continue
		}
		values := map[string]string{}
		for key := range keys {
			if value, err := section.GetKey(key); err == nil {
				values[key] = value.String()
			}
		}
		found[section.Name()] = values
	}
	return found
}

func say(value interface{}) {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	must(encoder.Encode(value))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "goini:", err)
		os.Exit(1)
	}
}

// each gives every setting of an account by its key in the file.
func each(account *cfg.IDPAccount, visit func(key string, field reflect.Value)) {
	fields := reflect.ValueOf(account).Elem()
	for i := 0; i < fields.NumField(); i++ {
		visit(strings.Split(fields.Type().Field(i).Tag.Get("ini"), ",")[0], fields.Field(i))
	}
}

func load(path, name string) (*cfg.ConfigManager, *cfg.IDPAccount) {
	manager, err := cfg.NewConfigManager(path)
	must(err)
	account, err := manager.LoadIDPAccount(name)
	must(err)
	return manager, account
}

func save(path, name string, pairs []string) {
	manager, account := load(path, name)
	for _, pair := range pairs {
		wanted, value, _ := strings.Cut(pair, "=")
		known := false
		each(account, func(key string, field reflect.Value) {
			if key != wanted {
				return
			}
			known = true
			switch field.Kind() {
			case reflect.Bool:
				on, err := strconv.ParseBool(value)
				must(err)
				field.SetBool(on)
			case reflect.Int:
				number, err := strconv.ParseInt(value, 10, 64)
				must(err)
				field.SetInt(number)
			default:
				field.SetString(value)
			}
		})
		if !known {
			must(fmt.Errorf("saml2aws has no key %s", wanted))
		}
	}
	must(manager.SaveIDPAccount(name, account))
}

type sample struct {
	Text string   `json:"text"`
	Says accounts `json:"says"`
}

// explodes tells of values that go-ini would double until the memory is full: two references in one, in a circle.
func explodes(text []byte) bool {
	file, err := ini.LoadSources(login, text)
	if err != nil {
		return false
	}
	for _, section := range file.Sections() {
		for _, key := range section.Keys() {
			if strings.Count(key.Value(), "%(") > 1 {
				return true
			}
		}
	}
	return false
}

// isOurs tells of what the product reads differently on purpose: blanks and quotes around the name in a header are no part of it, and
// a """ that ends the file is an error there.
func isOurs(text string, says accounts) bool {
	if strings.HasSuffix(text, `"""`) {
		return true
	}
	for name := range says {
		if name == "" || strings.Trim(strings.TrimSpace(name), "\"'") != name {
			return true
		}
	}
	return false
}

func random(seed int64, count int) []sample {
	source := rand.New(rand.NewSource(seed))
	one := func(of string) string {
		choices := strings.Split(of, "|")
		return choices[source.Intn(len(choices))]
	}
	some := func(most int, of string) (text string) {
		for length := source.Intn(most + 1); length > 0; length-- {
			text += one(of)
		}
		return text
	}
	const pieces = "x|y z| | |\t|#| #| ;|;|`|`|\"|'|\"\"\"|\\|\\\n|\n|%(a)s|%(b)s|%(|)s|é|\u00a0|:|=|[|]"
	samples := []sample{}
	for len(samples) < count {
		text := one("[a]\n|[a]\n|\n|# x\n|c = 1\n")
		for lines := source.Intn(6); lines >= 0; lines-- {
			switch source.Intn(10) {
			case 0:
				text += some(4, pieces) + one("\n|")
			case 1, 2, 3:
				text += some(1, " |\t") + one("[a]|[a.b]|[c]|[DEFAULT]") + some(1, " |# x| x| ; y") + "\n"
			default:
				text += some(1, " |\t") + one("a|a|b|b|c|`b`|\"a:b\"|\"\"\"c\"\"\"") + one("=| = |:| : ") + some(6, pieces) + one("\n|\n|\n|\r\n|")
			}
		}
		if explodes([]byte(text)) {
			continue
		}
		says := read(login, []byte(text))
		if isOurs(text, says) {
			continue
		}
		// Of texts that it refuses a few are enough, and one without a section says nothing.
		if says == nil && source.Intn(8) != 0 || says != nil && len(says) == 0 {
			continue
		}
		samples = append(samples, sample{text, says})
	}
	return samples
}

func main() {
	arguments := append(os.Args[1:], "", "", "")
	switch arguments[0] {
	case "read":
		say(read(login, arguments[1]))
	case "plain":
		say(read(configure, arguments[1]))
	case "account":
		values := map[string]string{}
		_, account := load(arguments[1], arguments[2])
		each(account, func(key string, field reflect.Value) { values[key] = fmt.Sprint(field.Interface()) })
		say(values)
	case "save":
		save(arguments[1], arguments[2], os.Args[4:])
	case "random":
		seed, err := strconv.ParseInt(arguments[1], 10, 64)
		must(err)
		count, err := strconv.Atoi(arguments[2])
		must(err)
		say(random(seed, count))
	default:
		must(fmt.Errorf("usage: goini read|plain FILE, account FILE NAME, save FILE NAME KEY=VALUE..., random SEED COUNT"))
	}
}
