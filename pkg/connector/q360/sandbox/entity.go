package sandbox

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// call is one request to the vendor's API.
type call struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	user   User
	quirks Quirks            // as they were when the call came in
	table  string            // second part of the path
	parts  map[string]string // of the form, once one was asked for
}

// serve routes /api/<Entity>[/<TableName>]?_a=<action>.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	c := &call{s: s, w: w, r: r, quirks: s.quirks}
	s.mu.RUnlock()
	path, isAPI := strings.CutPrefix(r.URL.Path, "/api/")
	switch {
	case r.URL.Path == "/APIDocumentation/" && r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<html><head><title>API Documentation</title></head><body><h1>API Documentation</h1><p>Please log in.</p></body></html>")
		return
	case !isAPI:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<html><body><h1>404 Not Found</h1></body></html>")
		return
	case path == "authenticate" && r.Method == http.MethodPost:
		c.browserLogin()
		return
	}
	user, refused := s.authenticate(r)
	if refused != nil {
		c.fail(refused, "", nil)
		return
	}
	c.user = user
	entity, table, _ := strings.Cut(path, "/")
	c.table = table
	c.route(entity)
}

func (c *call) route(entity string) {
	action := c.r.URL.Query().Get("_a")
	switch c.r.Method + " " + entity + " " + action {
	case "GET DataDict tableList":
		c.listTables()
	case "GET DataDict list":
		c.listColumns()
	case "GET UserID datasourceAccessList":
		c.listAccess()
	case "POST Record list":
		c.listRecords()
	case "PUT Record ":
		c.createRecords()
	case "PATCH Record ":
		c.updateRecords()
	case "DELETE Record ":
		c.deleteRecords()
	case "GET Document download":
		c.download()
	case "GET Project list", "GET Task list":
		c.ok(map[string]any{"result": []string{}}, map[string]string{"hasmore": "N"})
	default:
		c.fail(denied(http.StatusForbidden, "", "Access denied. Invalid or unauthorized endpoint."), "", nil)
	}
}

// browserLogin gives the session cookies of the web interface; the API does not take them.
func (c *call) browserLogin() {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, 1<<16))
	values, parseErr := url.ParseQuery(string(raw))
	if err != nil || parseErr != nil {
		c.fail(refuse("RequestInvalid", "The body cannot be read."), "", nil)
		return
	}
	if _, ok := c.s.login(values.Get("userid"), values.Get("password")); !ok {
		c.fail(denied(http.StatusUnauthorized, "", "Access denied. Invalid user or password."), "", nil)
		return
	}
	http.SetCookie(c.w, &http.Cookie{Name: "q360_at", Value: "session", Path: "/", MaxAge: 600, HttpOnly: true})
	http.SetCookie(c.w, &http.Cookie{Name: "q360_rt", Value: "refresh", Path: "/", MaxAge: 15 * 3600, HttpOnly: true})
	c.ok(map[string]any{"result": []string{}}, nil)
}

func (c *call) listTables() {
	c.s.mu.RLock()
	rows := make([]map[string]string, 0, len(c.s.tables)+len(c.s.views))
	for name := range c.s.tables {
		rows = append(rows, map[string]string{"table_dbf": name, "table_type": "TABLE"})
	}
	for name := range c.s.views {
		rows = append(rows, map[string]string{"table_dbf": name, "table_type": "VIEW"})
	}
	c.s.mu.RUnlock()
	slices.SortFunc(rows, func(a, b map[string]string) int { return strings.Compare(a["table_dbf"], b["table_dbf"]) })
	c.ok(map[string]any{"result": rows}, nil)
}

// listColumns describes a table; one that does not exist has no columns, which is not an error (q360-api 1.4).
func (c *call) listColumns() {
	rows := []map[string]any{}
	if d := c.s.definition(strings.ToUpper(strings.TrimSpace(c.r.URL.Query().Get("tablename")))); d != nil {
		for _, col := range d.columns {
			rows = append(rows, describe(d, col))
		}
	}
	c.ok(map[string]any{"result": rows}, nil)
}

func describe(d *definition, col column) map[string]any {
	key := "F"
	if col.isKey {
		key = "T"
	}
	title := col.name[:1] + strings.ToLower(col.name[1:])
	out := map[string]any{
		"table_dbf": d.name, "field_name": col.name, "field_desc": title, "field_title": title, "field_web_title": title,
		"field_type": col.fieldType, "sqltype": col.sqlType, "field_len": strconv.Itoa(col.length),
		"field_dec": strconv.Itoa(col.decimals), "mandatoryflag": yesNo(col.mandatory), "p_key": key, "relatedto": nil,
	}
	if col.related != "" {
		out["relatedto"] = col.related
	}
	return out
}

// listAccess lists grants; by default API users may not call it (q360-api 1.4).
func (c *call) listAccess() {
	if !c.quirks.AccessList {
		c.fail(denied(http.StatusForbidden, "", "Access denied. Invalid or unauthorized endpoint."), "", nil)
		return
	}
	name := c.r.URL.Query().Get("userid")
	c.s.mu.RLock()
	user, ok := c.s.users[fold(name)]
	c.s.mu.RUnlock()
	rows := []map[string]any{}
	for i, g := range user.Grants {
		if !ok {
			break
		}
		row := map[string]any{
			"datasource": strings.ToUpper(g.Source), "sourcetype": "TABLE", "accessflag": "Y", "pkname": nil, "gridviewname": nil,
			"seq": strconv.Itoa(i + 1), "sqlreportdatasourcepermno": strconv.Itoa(i + 1), "tabledef_editcondition": nil,
			"userid": strings.ToUpper(user.Name),
		}
		if d := c.s.definition(strings.ToUpper(g.Source)); d != nil {
			row["pkname"] = d.keyName()
		}
		if g.EditCondition != "" {
			row["tabledef_editcondition"] = g.EditCondition
		}
		rows = append(rows, row)
	}
	c.ok(map[string]any{"result": rows}, nil)
}

// download answers with the bytes of a document.
func (c *call) download() {
	const proc = "Document_Download"
	if err := c.user.mayRead("DOCUMENT"); err != nil {
		c.fail(err, proc, nil)
		return
	}
	no := fold(c.r.URL.Query().Get("documentno"))
	c.s.mu.RLock()
	r, data := c.s.tables["DOCUMENT"].rows[no], c.s.contents[no]
	c.s.mu.RUnlock()
	if r == nil || data == nil {
		c.fail(refuse("DocumentNotFound", "Document %s is not available.", no), proc, nil)
		return
	}
	name := r.text("FILENAME")
	media := mime.TypeByExtension(strings.ToLower(filepath.Ext(name)))
	switch strings.ToLower(filepath.Ext(name)) {
	case ".pdf":
		media = "application/pdf"
	case ".docx":
		media = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	}
	if media == "" {
		media = "application/octet-stream"
	}
	h := c.w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = c.w.Write(data) // a client that went away needs no bytes
}
