package invoiced

import (
	"context"
	"testing"

	"github.com/arbridge/arbridge/pkg/connector"
)

var _ connector.Metadata = (*Connector)(nil)

func TestFindByMetadataTrustsNoFilter(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		found        int
		class        connector.Class
	}{
		{"none", `[]`, 0, ""},
		{"exact", `[{"id":1,"number":"CUST-7","metadata":{"q360_id":"C1"}}]`, 1, ""},
		{"two", `[{"id":1,"metadata":{"q360_id":"C1"}},{"id":2,"metadata":{"q360_id":"C1"}}]`, 2, ""},
		{"another case is another value", `[{"id":1,"metadata":{"q360_id":"c1"}}]`, 0, ""},
		{"filter ignored", `[{"id":1,"number":"C1","metadata":[]}]`, 0, connector.ClassBadResponse},
		{"inexact", `[{"id":1,"currency":"zzz","metadata":{"q360_id":"C1"}}]`, 0, connector.ClassBadResponse},
		{"refused", `400 {"message":"x"}`, 0, connector.ClassInvalid},
	} {
		v, cn := start(t, map[string][]string{"GET /customers": {c.answer}})
		got, err := cn.FindCustomersByMetadata(context.Background(), "q360_id", "C1")
		if len(got) != c.found || (err == nil) != (c.class == "") || err != nil && connector.ClassOf(err) != c.class {
			t.Errorf("%s: %d found, %v", c.name, len(got), err)
		}
		if q := v.requests("GET /customers")[0].query; q["metadata[q360_id]"][0] != "C1" || q["per_page"][0] != "100" {
			t.Errorf("query %v", q)
		}
	}
	_, cn := start(t, nil)
	_, err := cn.FindCustomersByMetadata(context.Background(), "q360_id", " ")
	checkInvalid(t, err, "metadata")
}
