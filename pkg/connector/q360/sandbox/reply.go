package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// refusal is an error as the vendor answers it (q360-api 1.5).
type refusal struct {
	status    int // of HTTP, before the errors quirk
	code      int // in the envelope
	message   string
	reference string
	errorNo   string
	bare      bool // no entry in the list of errors
}

// Error implements error.
func (r *refusal) Error() string {
	if r.reference == "" {
		return r.message
	}
	return r.reference + ": " + r.message
}

// refuse is a business error: HTTP 200 with success false.
func refuse(reference, format string, args ...any) *refusal {
	return &refusal{status: http.StatusOK, code: http.StatusBadRequest, message: fmt.Sprintf(format, args...), reference: reference, errorNo: "50000"}
}

// denied is an access error, which has its own HTTP status.
func denied(status int, reference, format string, args ...any) *refusal {
	r := refuse(reference, format, args...)
	r.status, r.code, r.bare = status, status, reference == ""
	return r
}

// number sets the database's error number.
func (r *refusal) number(n string) *refusal { r.errorNo = n; return r }

type errorItem struct {
	Seq           string  `json:"seq"`
	ErrorNo       string  `json:"errorno"`
	ErrorMessage  string  `json:"errormessage"`
	ProcName      *string `json:"procname"`
	ReferenceCode *string `json:"referencecode"`
	ComponentID   *string `json:"componentid"`
	LinkType      *string `json:"linktype"`
	LinkNo        *string `json:"linkno"`
}

type envelope struct {
	Code    int
	Success bool
	Message string
	Payload map[string]any
	Outvars map[string]string
}

// ok answers with a payload and out variables.
func (c *call) ok(payload map[string]any, outvars map[string]string) {
	c.send(http.StatusOK, envelope{Code: http.StatusOK, Success: true, Payload: payload, Outvars: outvars})
}

// fail answers with an error; proc is the stored procedure that the vendor would name.
func (c *call) fail(err error, proc string, outvars map[string]string) {
	var r *refusal
	if !errors.As(err, &r) {
		c.s.config.Logger.Error("q360 sandbox: answering", "error", err)
		http.Error(c.w, "<html><body>Fatal error</body></html>", http.StatusInternalServerError)
		return
	}
	items := []errorItem{}
	if !r.bare {
		item := errorItem{Seq: "1", ErrorNo: r.errorNo, ErrorMessage: r.message, ReferenceCode: &r.reference}
		if proc != "" {
			item.ProcName = &proc
		}
		items = append(items, item)
	}
	status := r.status
	if status == http.StatusOK && c.quirks.Errors == "http400" {
		status = http.StatusBadRequest
	}
	if status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", `Basic realm="Q360"`)
	}
	c.send(status, envelope{Code: r.code, Message: r.message, Payload: map[string]any{"_error": items}, Outvars: outvars})
}

func (c *call) send(status int, e envelope) {
	if c.quirks.Outvars == "payload" && e.Outvars != nil {
		e.Payload["outvars"], e.Outvars = e.Outvars, nil
	}
	out := fmt.Appendf(nil, `{"code":%d,"success":%t,"message":`, e.Code, e.Success)
	out = append(appendJSON(out, e.Message), `,"payload":{`...)
	for i, name := range slices.Sorted(maps.Keys(e.Payload)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendJSON(out, name), ':')
		out = appendValue(out, e.Payload[name])
	}
	out = append(out, '}')
	if len(e.Outvars) > 0 {
		out = appendValue(append(out, `,"outvars":`...), e.Outvars)
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append(out, '}', '\n')) // a client that went away needs no answer
}

// appendValue writes a value of an answer. Rows are JSON already.
func appendValue(out []byte, v any) []byte {
	raw, ok := v.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			panic("q360 sandbox: " + err.Error()) // answers are made of texts
		}
	}
	return append(out, raw...)
}

// encodeRows writes rows as a JSON array of the given columns: strings or null, unless a quirk says otherwise.
func encodeRows(d *definition, columns []int, rows []*row, q Quirks) json.RawMessage {
	names := make([][]byte, len(columns))
	for i, col := range columns {
		name := d.columns[col].name
		if q.Case == "lower" {
			name = strings.ToLower(name)
		}
		names[i] = append(appendJSON(nil, name), ':')
	}
	out := []byte{'['}
	for n, r := range rows {
		if n > 0 {
			out = append(out, ',')
		}
		out = append(out, '{')
		for i, col := range columns {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, names[i]...)
			out = appendCell(out, d.columns[col], r.cells[col], q)
		}
		out = append(out, '}')
	}
	return append(out, ']')
}

func appendCell(out []byte, c column, v cell, q Quirks) []byte {
	if v == nil {
		return append(out, "null"...)
	}
	text := c.format(v, q.TrimChar)
	if _, number := v.(decimal.Decimal); number && q.NumbersAsJSON {
		return append(out, text...)
	}
	return appendJSON(out, text)
}

// appendJSON writes s as a JSON string.
func appendJSON(out []byte, s string) []byte {
	simple := true
	for i := 0; i < len(s); i++ {
		if b := s[i]; b < ' ' || b >= utf8.RuneSelf || b == '"' || b == '\\' {
			simple = false
			break
		}
	}
	if simple {
		out = append(out, '"')
		out = append(out, s...)
		return append(out, '"')
	}
	quoted, _ := json.Marshal(s) // a string always marshals
	return append(out, quoted...)
}

// decodeJSON reads one JSON value, numbers exactly.
func decodeJSON(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return decodeOne(d, v)
}

// strictJSON is decodeJSON that refuses unknown names.
func strictJSON(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	d.DisallowUnknownFields()
	return decodeOne(d, v)
}

func decodeOne(d *json.Decoder, v any) error {
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
