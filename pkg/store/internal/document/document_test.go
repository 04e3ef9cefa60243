package document

import (
	"errors"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/store"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       string // encoded; empty when refused
		is         error  // when refused: the contract's error, nil for another
		says       string // when refused: part of the message
	}{
		{"sorted and compact", `{ "b": [1, {"d":null}], "a": "<&>é\u00e9" }`, `{"a":"<&>éé","b":[1,{"d":null}]}`, nil, ""},
		{"limits of 64 bits", `{"a":9223372036854775807,"b":-9223372036854775808}`, `{"a":9223372036854775807,"b":-9223372036854775808}`, nil, ""},
		{"minus zero", `{"a":-0}`, `{"a":0}`, nil, ""},
		{"a name twice keeps the last", `{"a":1,"a":2}`, `{"a":2}`, nil, ""},
		{"half a surrogate pair", `{"a":"\ud800"}`, `{"a":"�"}`, nil, ""},
		{"empty", `{}`, `{}`, nil, ""},
		{"fraction", `{"total":{"amount":1.5}}`, "", store.ErrFraction, `field "total": field "amount": number 1.5, store it as text`},
		{"whole but written with a fraction", `{"a":1.0}`, "", store.ErrFraction, "1.0"},
		{"exponent", `{"a":[1,1e3]}`, "", store.ErrFraction, "item 1"},
		{"beyond 64 bits", `{"a":9223372036854775808}`, "", nil, "does not fit"},
		{"array", `[1]`, "", nil, "not a JSON object"},
		{"null", `null`, "", nil, "null"},
		{"nothing", ``, "", nil, "not a JSON object"},
		{"two objects", `{} {}`, "", nil, "followed by"},
		{"broken text", "{\"a\":\"\xff\"}", "", nil, "UTF-8"},
		{"long name", `{"` + strings.Repeat("n", 1401) + `":1}`, "", nil, "field name"},
		{"largest", `{"a":"` + strings.Repeat("x", store.MaxDocument-8) + `"}`, `{"a":"` + strings.Repeat("x", store.MaxDocument-8) + `"}`, nil, ""},
		{"one byte too many", `{"a":"` + strings.Repeat("x", store.MaxDocument-7) + `"}`, "", store.ErrTooLarge, ""},
		{"small as text, large when stored", `{"a":[1` + strings.Repeat(",1", 130_000) + `]}`, "", store.ErrTooLarge, "stored bytes"},
		{"19 levels", strings.Repeat(`{"a":`, 19) + "1" + strings.Repeat("}", 19), strings.Repeat(`{"a":`, 19) + "1" + strings.Repeat("}", 19), nil, ""},
		{"20 levels", strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), "", nil, "nested"},
		{"arrays in arrays count double", `{"a":` + strings.Repeat("[", 10) + strings.Repeat("]", 10) + "}", "", nil, "nested"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := Parse([]byte(c.data))
			if c.want == "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || (c.is != nil) != errors.Is(err, c.is) {
					t.Fatalf("Parse = %v; want an error that is %v and says %q", err, c.is, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := Encode(o)
			if err != nil || string(got) != c.want {
				t.Errorf("Encode = %.200s, %v; want %.200s", got, err, c.want)
			}
		})
	}
}

func TestBatch(t *testing.T) {
	good := store.Write{Collection: store.Records, ID: "us/invoice/1", Data: []byte(`{}`)}
	with := func(change func(w *store.Write)) []store.Write {
		w := good
		change(&w)
		return []store.Write{{Collection: store.Runs, ID: "us/poll", Delete: true}, w}
	}
	large := with(func(w *store.Write) { w.Data = []byte(`{"a":"` + strings.Repeat("x", 500<<10) + `"}`) })[1]
	var heavy []store.Write
	for i := range 7 {
		large.ID = store.ID("us", "invoice", strings.Repeat("i", i+1))
		heavy = append(heavy, large)
	}
	for _, c := range []struct {
		name   string
		writes []store.Write
		says   string // empty when accepted
	}{
		{"accepted", with(func(*store.Write) {}), ""},
		{"longest id", with(func(w *store.Write) { w.ID = strings.Repeat("i", MaxID) }), ""},
		{"too long id", with(func(w *store.Write) { w.ID = strings.Repeat("i", MaxID+1) }), "1025 bytes"},
		{"empty id", with(func(w *store.Write) { w.ID = "" }), "write 1 of a batch: id of a document in records is empty"},
		{"id with NUL", with(func(w *store.Write) { w.ID = "a\x00" }), "NUL"},
		{"id not UTF-8", with(func(w *store.Write) { w.ID = "\xff" }), "UTF-8"},
		{"unknown collection", with(func(w *store.Write) { w.Collection = "recods" }), `"recods"`},
		{"unknown condition", with(func(w *store.Write) { w.If = 3 }), "condition 3"},
		{"deletion of what is absent", with(func(w *store.Write) { w.Delete, w.Data, w.If = true, nil, store.IfAbsent }), "absent"},
		{"deletion with data", with(func(w *store.Write) { w.Delete = true }), "no data"},
		{"twice", []store.Write{good, good}, "records/us/invoice/1 twice"},
		{"no data", with(func(w *store.Write) { w.Data = nil }), "writing records/us/invoice/1: document is not"},
		{"too many", make([]store.Write, store.MaxBatch+1), "201"},
		{"too heavy together", heavy, "split"},
	} {
		t.Run(c.name, func(t *testing.T) {
			objects, err := Batch(c.writes)
			if c.says == "" {
				if err != nil || len(objects) != 2 || objects[0] != nil || objects[1] == nil {
					t.Errorf("Batch = %v, %v; want one nil and one object", objects, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Batch error = %v; want it to say %q", err, c.says)
			}
		})
	}
}
