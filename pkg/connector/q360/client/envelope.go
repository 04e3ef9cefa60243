package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// answer is a parsed envelope (q360-api 1.3, 1.5).
type answer struct {
	success bool
	code    int // 0 when the body has none
	message string
	errors  []refusal
	root    map[string]any
}

// refusal is one item of payload._error.
type refusal struct{ number, message, procedure, reference string }

var errNoEnvelope = errors.New("the answer is not the envelope with code and success")

// parseEnvelope reads an answer's body. Numbers stay texts. Anything but one JSON object with a success flag is refused.
func parseEnvelope(body []byte) (answer, error) {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return answer{}, errors.New("the answer is not JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return answer{}, errors.New("the answer has text after its JSON")
	}
	root, ok := v.(map[string]any)
	if !ok {
		return answer{}, errNoEnvelope
	}
	a := answer{root: root}
	if a.success, ok = lookup(root, "success").(bool); !ok {
		return answer{}, errNoEnvelope
	}
	a.code, _ = strconv.Atoi(text(lookup(root, "code")))
	a.message = strings.TrimSpace(text(lookup(root, "message")))
	list, _ := lookup(root, "payload._error").([]any)
	for _, item := range list {
		a.errors = append(a.errors, refusal{
			number:    strings.TrimSpace(text(lookup(item, "errorno"))),
			message:   strings.TrimSpace(text(lookup(item, "errormessage"))),
			procedure: strings.TrimSpace(text(lookup(item, "procname"))),
			reference: strings.TrimSpace(text(lookup(item, "referencecode"))),
		})
	}
	return a, nil
}

// lookup follows a dotted path through objects, names compared without regard to case; nil when it ends nowhere.
func lookup(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = member(object, name)
	}
	return v
}

func member(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	for k, v := range object {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

// text is a scalar as the site wrote it; "" for null and for anything that is not a scalar.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "Y"
		}
		return "N"
	}
	return ""
}

// rows are the records of an answer, from the first of the places that holds a list. The second result is false when no
// place does: such an answer must never pass for an empty list.
func (a answer) rows(places []string) ([]Row, bool, error) {
	for _, place := range places {
		list, ok := lookup(a.root, place).([]any)
		if !ok {
			continue
		}
		out := make([]Row, 0, len(list))
		for _, item := range list {
			row, err := newRow(item)
			if err != nil {
				return nil, true, err
			}
			out = append(out, row)
		}
		return out, true, nil
	}
	return nil, false, nil
}

// outvar is an output variable, from the first place that has it.
func (a answer) outvar(places []string, name string) any {
	for _, place := range places {
		if v := lookup(a.root, place+"."+name); v != nil {
			return v
		}
	}
	return nil
}
