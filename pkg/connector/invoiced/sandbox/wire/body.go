package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxFormPairs = 20_000
	maxFormDepth = 8
	maxIndex     = 10_000 // the highest list index taken from a form
)

// Parse reads a request body: JSON, or a form with brackets when the content type says so or when the body does not
// look like JSON. Nothing, null, {} and [] are all an empty request, because the vendor's SDKs send every one of them to
// action endpoints (invoiced-api 16.1 T2). Errors are *Error with status 400.
func Parse(contentType string, body []byte) (Values, error) {
	media, _, _ := mime.ParseMediaType(contentType)
	text := bytes.TrimSpace(body)
	switch {
	case len(text) == 0:
		return Values{}, nil
	case media == "application/x-www-form-urlencoded" && text[0] != '{' && text[0] != '[':
		return ParseForm(string(text))
	case media == "" && text[0] != '{' && text[0] != '[' && !bytes.Equal(text, []byte("null")):
		return ParseForm(string(text))
	}
	return ParseJSON(text)
}

// ParseJSON reads one JSON object. null and an empty list count as an empty object.
func ParseJSON(body []byte) (Values, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, Invalid("", "The request body is not valid JSON")
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, Invalid("", "The request body has text after its JSON value")
	}
	switch v := v.(type) {
	case nil:
		return Values{}, nil
	case map[string]any:
		return v, nil
	case []any:
		if len(v) == 0 {
			return Values{}, nil
		}
	}
	return nil, Invalid("", "The request body must be a JSON object")
}

// ParseForm reads a form with bracket syntax such as items[0][name]=Paper. Lists come out as maps with decimal keys;
// Values.List reads them in the order of those keys. Empty brackets append.
func ParseForm(body string) (Values, error) {
	root := map[string]any{}
	pairs := strings.Split(body, "&")
	if len(pairs) > maxFormPairs {
		return nil, Invalid("", "The form has more than %d fields", maxFormPairs)
	}
	for _, pair := range pairs {
		if pair == "" {
			continue
		}
		rawKey, rawValue, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(rawKey)
		if err != nil {
			return nil, Invalid("", "The form has a badly encoded field name")
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return nil, Invalid("", "The form has a badly encoded value")
		}
		path, ok := SplitKey(key)
		if !ok || len(path) > maxFormDepth {
			return nil, Invalid("", "The form field name has unbalanced or too many brackets")
		}
		if err := place(root, path, value); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// SplitKey splits a[b][c] into its parts; false when the brackets are not balanced.
func SplitKey(key string) ([]string, bool) {
	head, rest, has := strings.Cut(key, "[")
	if head == "" || strings.Contains(head, "]") {
		return nil, false
	}
	path := []string{head}
	for has {
		var part string
		var closed bool
		part, rest, closed = strings.Cut(rest, "]")
		if !closed || strings.Contains(part, "[") {
			return nil, false
		}
		path = append(path, part)
		if rest == "" {
			return path, true
		}
		if rest[0] != '[' {
			return nil, false
		}
		rest = rest[1:]
	}
	return path, true
}

func place(root map[string]any, path []string, value string) error {
	at := root
	for i, part := range path {
		if part == "" {
			part = nextIndex(at, i < len(path)-1, path[min(i+1, len(path)-1)])
		}
		if i == len(path)-1 {
			if _, taken := at[part].(map[string]any); taken {
				return Invalid(path[0], "The form uses %s both as a value and as a list", path[0])
			}
			at[part] = value
			return nil
		}
		next, ok := at[part].(map[string]any)
		if !ok {
			if _, taken := at[part]; taken {
				return Invalid(path[0], "The form uses %s both as a value and as a list", path[0])
			}
			next = map[string]any{}
			at[part] = next
		}
		at = next
	}
	return nil
}

// nextIndex is the index that empty brackets stand for. In a list of objects the same object goes on until one of its
// members comes a second time, as PHP and Rails clients expect.
func nextIndex(list map[string]any, nested bool, member string) string {
	last := -1
	for k := range list {
		if n, err := strconv.Atoi(k); err == nil && n > last && n < maxIndex {
			last = n
		}
	}
	if nested && last >= 0 {
		if open, ok := list[strconv.Itoa(last)].(map[string]any); ok {
			if _, seen := open[member]; !seen && member != "" {
				return strconv.Itoa(last)
			}
		}
	}
	return strconv.Itoa(last + 1)
}
