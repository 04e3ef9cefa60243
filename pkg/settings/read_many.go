package settings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/arbridge/arbridge/pkg/money"
)

// maxEntries bounds lists and maps, so that the settings of a company stay far below the size of a stored document.
const maxEntries = 2000

func entries(raw any) ([]any, []complaint) {
	var out []any
	switch v := raw.(type) {
	case []any:
		out = v
	case []string:
		for _, e := range v {
			out = append(out, e)
		}
	default:
		return nil, complain(raw, "not a list; write it as [a, b]")
	}
	if len(out) > maxEntries {
		return nil, complain(nil, "has "+strconv.Itoa(len(out))+" entries, more than "+strconv.Itoa(maxEntries))
	}
	return out, nil
}

// readList keeps the order and drops repeated entries: a customer named twice is still one customer.
func readList(s Setting, raw any, zone ZoneFunc) ([]string, []complaint) {
	all, bad := entries(raw)
	out := []string{}
	for i, e := range all {
		v, wrong := readText[string](s, e, zone)
		for _, w := range wrong {
			bad = append(bad, complaint{w.value, fmt.Sprintf("entry %d: %s", i+1, w.text)})
		}
		if wrong == nil && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, bad
}

func readSet(s Setting, raw any, zone ZoneFunc) ([]string, []complaint) {
	all, bad := entries(raw)
	out := []string{}
	for _, e := range all {
		v, wrong := readChoice[string](s, e, zone)
		if wrong == nil && slices.Contains(out, v) {
			wrong = complain(e, "named twice")
		}
		bad = append(bad, wrong...)
		if wrong == nil {
			out = append(out, v)
		}
	}
	return out, bad
}

func pairs(raw any) (map[string]any, []complaint) {
	out := map[string]any{}
	switch v := raw.(type) {
	case map[string]any:
		out = v
	case map[string]string:
		for k, e := range v {
			out[k] = e
		}
	default:
		return nil, complain(raw, "not a map; write it as {name: value}")
	}
	if len(out) > maxEntries {
		return nil, complain(nil, "has "+strconv.Itoa(len(out))+" entries, more than "+strconv.Itoa(maxEntries))
	}
	return out, nil
}

func readMap[K, V ~string](s Setting, raw any, zone ZoneFunc) (map[K]V, []complaint) {
	given, bad := pairs(raw)
	out := map[K]V{}
	if bad == nil && s.merge {
		base, _ := pairs(s.Default)
		for k, v := range base {
			out[K(k)] = V(v.(string))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		name, wrong := readKey(s, key)
		bad = append(bad, wrong...)
		value, wrong := readEntry(s, key, given[key], zone)
		bad = append(bad, wrong...)
		out[K(name)] = V(value)
	}
	return out, bad
}

func readKey(s Setting, key string) (string, []complaint) {
	name, bad := plain(key)
	switch {
	case bad != nil:
		return "", complain(key, "key: "+bad[0].text)
	case s.Keys != nil && notAmong(s.Keys, name) != "":
		return "", complain(key, "no such key"+meant(name, choiceValues(s.Keys)))
	case !matches(s.KeyPattern, name):
		return "", complain(key, "the key is not "+s.keys)
	}
	return name, nil
}

func readEntry(s Setting, key string, raw any, zone ZoneFunc) (string, []complaint) {
	read := readText[string]
	if s.Choices != nil {
		read = readChoice[string]
	}
	value, bad := read(s, raw, zone)
	for i := range bad {
		bad[i].text = "value of " + Echo(key) + ": " + bad[i].text
	}
	return value, bad
}

func readAccounts(s Setting, raw any, zone ZoneFunc) (map[money.Currency]string, []complaint) {
	out, bad := readMap[money.Currency, string](s, raw, zone)
	for _, cur := range slices.Sorted(maps.Keys(out)) {
		if cur != "" && !cur.Known() {
			bad = append(bad, complaint{string(cur), "no ISO 4217 currency"})
		}
	}
	return out, bad
}
