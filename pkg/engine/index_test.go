package engine

import (
	"errors"
	"testing"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

func TestStack(t *testing.T) {
	doc := func(id, number, notes string) billing.PortalDocument {
		return billing.PortalDocument{ID: id, Number: number, Notes: notes}
	}
	pages := map[string]connector.Page[billing.PortalDocument]{
		"":  {Items: []billing.PortalDocument{doc("1", "A", "old"), doc("2", "B", "")}, Next: "2"},
		"2": {Items: []billing.PortalDocument{doc("3", "B", "")}, Bad: []connector.BadRecord{{Number: "C"}}, Next: "3"},
		"3": {Items: []billing.PortalDocument{doc("1", "A", "new")}}, // changed while the list was read
	}
	read := func(page string) (connector.Page[billing.PortalDocument], error) { return pages[page], nil }
	key := func(d billing.PortalDocument) (string, string) { return d.ID, d.Number }
	s, all, err := stack(read, key)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d documents, %v", len(all), err)
	}
	for _, c := range []struct {
		number string
		count  int
		sure   bool
	}{{"A", 1, true}, {"B", 2, true}, {"C", 0, false}, {"D", 0, true}} {
		if found, sure := s.find(c.number); len(found) != c.count || sure != c.sure {
			t.Errorf("%s: %d found, sure %v", c.number, len(found), sure)
		}
	}
	if found, _ := s.find("A"); found[0].Notes != "new" {
		t.Errorf("the older state counts: %+v", found)
	}
	pages["3"] = connector.Page[billing.PortalDocument]{Bad: []connector.BadRecord{{}}}
	if s, _, _ = stack(read, key); true {
		if _, sure := s.find("D"); sure {
			t.Error("an entry without a name could be D")
		}
	}
	broken := func(string) (connector.Page[billing.PortalDocument], error) {
		return connector.Page[billing.PortalDocument]{}, errors.New("down")
	}
	if _, _, err := stack(broken, key); err == nil {
		t.Error("half a list counts as a list")
	}
}
