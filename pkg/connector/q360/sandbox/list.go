package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// listRequest is the body of a Record list (q360-api 1.4).
type listRequest struct {
	Columns []string `json:"columns"`
	Filters []filter `json:"filters"`
	OrderBy []struct {
		Field string `json:"field"`
		Dir   string `json:"dir"`
	} `json:"orderBy"`
	Offset any `json:"offset"`
	Limit  any `json:"limit"`
}

type filter struct {
	Field string `json:"field"`
	Op    string `json:"op"`
	Value any    `json:"value"`
}

const defaultLimit = 100

// compile reads a filter for a table; exact keeps the milliseconds of a datetime literal.
func (f filter) compile(d *definition, exact bool) (condition, error) {
	i := d.at(f.Field)
	if i < 0 {
		return condition{}, invalidColumn(f.Field)
	}
	c := condition{col: i, op: strings.ToLower(strings.TrimSpace(f.Op))}
	switch c.op {
	case "isnull", "isnotnull":
		return c, nil
	case "=", "!=", "<", ">", "<=", ">=", "like":
	default:
		return c, refuse("InvalidOperator", "Invalid filter operator '%s'.", f.Op)
	}
	value, given, err := plain(f.Value)
	if err != nil {
		return c, refuse("InvalidValue", "Filter value of %s is %s.", d.columns[i].name, err)
	}
	switch {
	case !given:
	case c.op == "like":
		c.like = compileLike(value)
	case d.columns[i].kind() == kindText:
		c.want = strings.TrimRight(value, " ") // longer than the column is allowed: it finds nothing
	default:
		if c.want, err = d.columns[i].parse(value, exact); err != nil {
			return c, err
		}
	}
	return c, nil
}

func invalidColumn(name string) *refusal {
	return refuse("InvalidColumn", "Invalid column name '%s'.", name).number("207")
}

// compile turns the request into columns and a query.
func (l listRequest) compile(d *definition, q Quirks) ([]int, query, error) {
	columns, err := l.columns(d, q)
	if err != nil {
		return nil, query{}, err
	}
	var out query
	for _, f := range l.Filters {
		if q.IgnoreUnknownColumns && d.at(f.Field) < 0 {
			continue
		}
		c, err := f.compile(d, q.ExactTimes)
		if err != nil {
			return nil, query{}, err
		}
		out.conditions = append(out.conditions, c)
	}
	for _, o := range l.OrderBy {
		i := d.at(o.Field)
		if i < 0 {
			return nil, query{}, invalidColumn(o.Field)
		}
		dir := strings.ToUpper(strings.TrimSpace(o.Dir))
		if dir != "" && dir != "ASC" && dir != "DESC" {
			return nil, query{}, refuse("RequestInvalid", "Invalid sort direction '%s'.", o.Dir)
		}
		out.order = append(out.order, term{col: i, desc: dir == "DESC"})
	}
	if out.offset, err = whole("offset", l.Offset, 0); err != nil {
		return nil, query{}, err
	}
	if out.limit, err = whole("limit", l.Limit, defaultLimit); err != nil {
		return nil, query{}, err
	}
	out.limit, err = q.clamp(out.limit)
	return columns, out, err
}

func (l listRequest) columns(d *definition, q Quirks) ([]int, error) {
	var out []int
	for _, name := range l.Columns {
		i := d.at(name)
		if i < 0 && !q.IgnoreUnknownColumns {
			return nil, invalidColumn(name)
		}
		if i >= 0 && !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	if len(l.Columns) == 0 {
		for i := range d.columns {
			out = append(out, i)
		}
	}
	return out, nil
}

// clamp applies the maximum page size.
func (q Quirks) clamp(limit int) (int, error) {
	highest := q.maxLimit()
	switch {
	case limit == 0:
		return 0, refuse("RequestInvalid", "limit must be positive.")
	case highest == 0 || limit <= highest:
		return limit, nil
	case q.ClampLimit:
		return highest, nil
	}
	return 0, refuse("LimitExceeded", "The maximum limit is %d.", highest)
}

func whole(name string, v any, otherwise int) (int, error) {
	text, given, err := plain(v)
	if !given && err == nil {
		return otherwise, nil
	}
	n, convErr := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || convErr != nil || n < 0 {
		return 0, refuse("RequestInvalid", "%s must be a whole number that is not negative.", name)
	}
	return n, nil
}

// listRecords answers POST /api/Record/{table}?_a=list and its _tablename form.
func (c *call) listRecords() {
	const proc = "Record_List"
	name := c.table
	if name == "" {
		name = c.r.URL.Query().Get("_tablename")
	}
	source, def, err := c.readable(name)
	if err != nil {
		c.fail(err, proc, nil)
		return
	}
	raw, err := c.jsonRequest()
	if err != nil {
		c.fail(err, proc, nil)
		return
	}
	var request listRequest
	if err := decodeJSON(raw, &request); err != nil {
		c.fail(refuse("RequestInvalid", "jsonRequest cannot be read."), proc, nil)
		return
	}
	columns, q, err := request.compile(def, c.quirks)
	if err != nil {
		c.fail(err, proc, nil)
		return
	}
	c.s.mu.RLock()
	rows, more := c.s.tables[source].find(q)
	c.s.mu.RUnlock()
	payload := c.records(encodeRows(def, columns, rows, c.quirks))
	payload["total"] = len(rows)
	c.ok(payload, map[string]string{"hasmore": yesNo(more)})
}

// records puts rows where the site has them.
func (c *call) records(rows json.RawMessage) map[string]any {
	if c.quirks.Rows == "griddata" {
		return map[string]any{"griddata": map[string]any{"record": rows}}
	}
	return map[string]any{"result": rows}
}

// readable finds a table or view that the user may read; a name that does not exist looks like one that is not granted.
func (c *call) readable(name string) (string, *definition, error) {
	canonical := strings.ToUpper(strings.TrimSpace(name))
	def := c.s.definition(canonical)
	if def == nil {
		return "", nil, c.user.notPermitted(canonical)
	}
	if err := c.user.mayRead(canonical); err != nil {
		return "", nil, err
	}
	if def.viewOf != "" {
		return def.viewOf, def, nil
	}
	return canonical, def, nil
}

// definition finds a table or view by its upper-case name.
func (s *Server) definition(name string) *definition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.tables[name]; t != nil {
		return t.def
	}
	return s.views[name]
}

const maxRequest = 32 << 20

// part returns a plain part of the multipart form; parts sent as files do not count.
func (c *call) part(name string) (string, bool) {
	if c.parts == nil {
		c.parts = plainParts(c.r)
	}
	v, ok := c.parts[name]
	return v, ok
}

// plainParts reads a multipart form: the first part of each name that is not a file. A form that can not be read has none.
func plainParts(r *http.Request) map[string]string {
	out := map[string]string{}
	form, err := r.MultipartReader()
	if err != nil || !strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "multipart/form-data") {
		return out
	}
	for left := int64(maxRequest); ; {
		p, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		var text bytes.Buffer
		if err == nil {
			_, err = text.ReadFrom(io.LimitReader(p, left+1))
		}
		if left -= int64(text.Len()); err != nil || left < 0 {
			return map[string]string{}
		}
		if _, twice := out[p.FormName()]; !twice && p.FileName() == "" {
			out[p.FormName()] = text.String()
		}
	}
}

// media is the type of the body.
func (c *call) media() string {
	media, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	return media
}

// jsonRequest returns the form part of that name, or the whole body where the site accepts that.
func (c *call) jsonRequest() ([]byte, error) {
	if c.quirks.AcceptRawJSON && c.media() == "application/json" {
		raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxRequest))
		if err != nil {
			return nil, refuse("RequestInvalid", "The body cannot be read.")
		}
		return raw, nil
	}
	if text, ok := c.part("jsonRequest"); ok {
		return []byte(text), nil
	}
	return nil, refuse("RequestMissing", "jsonRequest missing.")
}
