package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

// portal serves the links of documents, receipts, statements and files. They need no authentication: the token is the
// secret (invoiced-api 4.2, S17).
func (s *Server) portal() http.Handler {
	mux := http.NewServeMux()
	for _, kind := range []string{"invoice", "credit_note"} {
		root := "GET /portal/" + kind + "s/{token}"
		mux.HandleFunc(root, s.documentPage)
		mux.HandleFunc(root+"/payment", s.documentPage)
		mux.HandleFunc(root+"/pdf", s.linked(func(v *view, o objects.Object) *answer {
			d, ok := o.(*document)
			if !ok {
				return nil
			}
			return pdfAnswer(d.summary(v)...)
		}))
		mux.HandleFunc(root+"/csv", s.linked(documentCSV))
	}
	mux.HandleFunc("GET /portal/payments/{token}/pdf", s.linked(func(_ *view, o objects.Object) *answer {
		p, ok := o.(*payment)
		if !ok {
			return nil
		}
		return pdfAnswer(p.summary()...)
	}))
	mux.HandleFunc("GET /portal/statements/{token}", s.linked(func(v *view, o objects.Object) *answer {
		if c, ok := o.(*customer); ok {
			return page(c.statement(v))
		}
		return nil
	}))
	mux.HandleFunc("GET /portal/statements/{token}/pdf", s.linked(func(v *view, o objects.Object) *answer {
		if c, ok := o.(*customer); ok {
			return pdfAnswer(c.statement(v)...)
		}
		return nil
	}))
	mux.HandleFunc("GET /portal/files/{token}", s.download)
	return mux
}

// linked serves the object behind a token; show returns nil when it is of another kind.
func (s *Server) linked(show func(*view, objects.Object) *answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var a *answer
		s.mu.RLock()
		if o := s.store.ByToken(r.PathValue("token")); o != nil {
			if acct, err := s.account(o.Meta().Account); err == nil {
				a = show(&view{s: s, acct: acct, base: s.baseURL(r), now: s.Now().Unix()}, o)
			}
		}
		s.mu.RUnlock()
		if a == nil {
			http.NotFound(w, r)
			return
		}
		send(w, a)
	}
}

// documentPage shows a document; ?view=1 is a customer opening it. Drafts and voided documents are invisible.
func (s *Server) documentPage(w http.ResponseWriter, r *http.Request) {
	var seen *document
	s.linked(func(v *view, o objects.Object) *answer {
		d, ok := o.(*document)
		if !ok || d.Draft || d.Voided {
			return nil
		}
		seen = d
		return page(d.summary(v))
	})(w, r)
	if seen == nil || seen.Type != "invoice" || r.URL.Query().Get("view") != "1" {
		return
	}
	if _, err := s.View(PortalAction{Account: seen.Account, Invoice: RefID(seen.ID)}); err != nil {
		s.log.Error("recording a portal view", "invoice", seen.ID, "error", err)
	}
}

func page(lines []string) *answer {
	var b strings.Builder
	b.WriteString("<!doctype html><html><head><meta charset=\"utf-8\"><title>" + html.EscapeString(lines[0]) + "</title></head><body>\n")
	for i, l := range lines {
		tag := "p"
		if i == 0 {
			tag = "h1"
		}
		fmt.Fprintf(&b, "<%s>%s</%s>\n", tag, html.EscapeString(l), tag)
	}
	b.WriteString("</body></html>\n")
	return &answer{Status: http.StatusOK, Type: "text/html; charset=utf-8", Body: []byte(b.String())}
}

func documentCSV(_ *view, o objects.Object) *answer {
	d, ok := o.(*document)
	if !ok {
		return nil
	}
	var b strings.Builder
	b.WriteString("name,quantity,unit_cost,amount\n")
	for _, l := range d.Items {
		fmt.Fprintf(&b, "%q,%s,%s,%s\n", l.Name, l.Quantity, l.UnitCost, l.Amount)
	}
	return &answer{Status: http.StatusOK, Type: "text/csv; charset=utf-8", Body: []byte(b.String())}
}

func (c *customer) statement(v *view) []string {
	out := []string{"Statement of " + c.name()}
	for _, d := range v.s.documentsOf(v.acct, "invoice", c.ID) {
		if d.open() {
			out = append(out, d.Number+" "+d.status(v)+" "+d.Balance.StringFixed(d.places())+" "+d.Currency)
		}
	}
	return out
}

func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	var f *file
	s.mu.RLock()
	f, _ = s.store.ByToken(r.PathValue("token")).(*file)
	s.mu.RUnlock()
	if f == nil {
		http.NotFound(w, r)
		return
	}
	data, err := s.files.get(f.Token)
	if err != nil {
		send(w, s.failure(errors.Join(&wire.Error{Status: http.StatusNotFound, Message: "The file is gone"}, err)))
		return
	}
	send(w, &answer{Status: http.StatusOK, Type: f.Media, Body: data})
}

// file is an uploaded or linked file (invoiced-api 8).
type file struct {
	objects.Head
	Name  string `json:"name"`
	Size  int64  `json:"size"`
	Media string `json:"media"`
	URL   string `json:"url,omitempty"` // of a linked file; an uploaded one has its bytes under Token
	Token string `json:"token,omitempty"`
}

// Kind implements objects.Object.
func (*file) Kind() string { return "file" }

// LinkToken is the token of the download link; empty for linked files.
func (f *file) LinkToken() string { return f.Token }

// Clone implements objects.Object.
func (f *file) Clone() objects.Object { next := *f; return &next }

func fileSchema() *schema {
	return newSchema("file", nil, append(append(head("file"),
		show("name", func(_ *view, f *file) any { return f.Name }),
		show("size", func(_ *view, f *file) any { return f.Size }),
		show("type", func(_ *view, f *file) any { return f.Media }),
		show("url", func(v *view, f *file) any {
			if f.URL != "" {
				return f.URL
			}
			return v.base + "/portal/files/" + f.Token
		}),
	), tail()...)...)
}

// fileStore keeps the bytes of uploads: in a folder beside the state file, or in memory when there is none.
type fileStore struct {
	dir    string
	mu     *sync.Mutex
	memory map[string][]byte
}

func newFileStore(statePath string) fileStore {
	if statePath == "" {
		return fileStore{mu: &sync.Mutex{}, memory: map[string][]byte{}}
	}
	return fileStore{dir: statePath + ".files", mu: &sync.Mutex{}}
}

// put stores bytes under a token. They are there before the object that names them is committed.
func (s fileStore) put(token string, data []byte) error {
	if s.dir == "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.memory[token] = data
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("storing a file: %w", err)
	}
	path := filepath.Join(s.dir, token)
	if err := os.WriteFile(path+".part", data, 0o600); err != nil {
		return fmt.Errorf("storing a file: %w", err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("storing a file: %w", err)
	}
	return nil
}

func (s fileStore) get(token string) ([]byte, error) {
	if s.dir == "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		data, ok := s.memory[token]
		if !ok {
			return nil, os.ErrNotExist
		}
		return data, nil
	}
	data, err := os.ReadFile(filepath.Join(s.dir, token))
	if err != nil {
		return nil, fmt.Errorf("reading a file: %w", err)
	}
	return data, nil
}

// drop forgets the bytes; a file that cannot be removed is only disk space.
func (s fileStore) drop(token string) {
	if s.dir == "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.memory, token)
		return
	}
	_ = os.Remove(filepath.Join(s.dir, token))
}

func fileEndpoints() []endpoint {
	return []endpoint{
		{pattern: "POST /files", before: receiveFile, do: createFile},
		{pattern: "GET /files/{id}", do: showOne[*file]("file")},
		{pattern: "DELETE /files/{id}", do: func(c *call) (*answer, error) {
			f, err := find[*file](c, "file")
			if err != nil {
				return nil, err
			}
			c.t.Remove("file", f.ID)
			if f.Token != "" {
				c.t.after = append(c.t.after, func() { c.s.files.drop(f.Token) })
			}
			return noContent(), nil
		}},
	}
}

// receiveFile reads an upload and stores its bytes before any lock is taken.
func receiveFile(c *call) error {
	media, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		return nil // a linked file
	}
	parts := multipart.NewReader(bytes.NewReader(c.raw), params["boundary"])
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return wire.Invalid("file", "The upload has no part named file")
		}
		if err != nil {
			return wire.Invalid("file", "The upload is not valid multipart/form-data")
		}
		if part.FormName() != "file" || part.FileName() == "" {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(part, c.s.opt.MaxFileSize+1))
		if err != nil {
			return wire.Invalid("file", "The upload ends early")
		}
		if int64(len(data)) > c.s.opt.MaxFileSize {
			return wire.Invalid("file", "The file is larger than %d bytes", c.s.opt.MaxFileSize)
		}
		c.file = &file{Name: part.FileName(), Size: int64(len(data)), Media: part.Header.Get("Content-Type"), Token: c.s.newToken()}
		if c.file.Media == "" {
			c.file.Media = "application/octet-stream"
		}
		return c.s.files.put(c.file.Token, data)
	}
}

func createFile(c *call) (*answer, error) {
	f := c.file
	if f == nil {
		var err error
		if f, err = linkedFile(c.body); err != nil {
			return nil, err
		}
	}
	f.Head = c.t.newHead()
	c.t.Put(f)
	return c.object(http.StatusCreated, f), nil
}

// linkedFile keeps the given address: the vendor links to the file and does not copy it.
func linkedFile(in wire.Values) (*file, error) {
	f := &file{}
	for name, at := range map[string]*string{"url": &f.URL, "name": &f.Name, "type": &f.Media} {
		s, err := in.Text(name)
		if err != nil {
			return nil, err
		}
		if s != nil {
			*at = *s
		}
	}
	if !strings.HasPrefix(f.URL, "http://") && !strings.HasPrefix(f.URL, "https://") {
		return nil, wire.Invalid("url", "A file is either uploaded as multipart/form-data or given by an http or https url")
	}
	if f.Name == "" {
		return nil, wire.Invalid("name", "Name is missing")
	}
	size, err := in.Integer("size")
	if err != nil {
		return nil, err
	}
	if size != nil {
		f.Size = *size
	}
	return f, nil
}
