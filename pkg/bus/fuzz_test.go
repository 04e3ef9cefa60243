package bus_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/bus"
)

// FuzzDecodePush: a push is refused, with nothing of it left, or it is a delivery with an id that says the same when it is
// written and read once more.
func FuzzDecodePush(f *testing.F) {
	for _, body := range []string{
		`{"message":{"messageId":"1","data":"eA=="}}`, `{"message":null}`, `{}`, `[]`, ``, `{"message":{"messageId":1}}`, `{"message":{"messageId":"1","data":"%"}}`,
		`{"subscription":"projects/p/subscriptions/tasks-sync","deliveryAttempt":3,"message":{"messageId":"9","data":"e30=","orderingKey":"us/invoice/1",` +
			`"publishTime":"2026-05-05T14:00:00.123456789Z","attributes":{"flow":"sync","traceparent":"00-x"}}}`,
		`{"deliveryAttempt":1e99,"message":{"messageId":"1"}}`, `{"message":{"messageId":"1","publishTime":"yesterday"}}`,
		`{"message":{"messageId":"1","attributes":{"a":null}}} trailing`, `{"MESSAGE":{"messageID":"1"}}`, strings.Repeat("[", 20_000),
		`{"message":{"messageId":"` + strings.Repeat("x", 10*bus.MaxMessage) + `"}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		d, err := bus.DecodePush(push(body))
		if err != nil {
			if diff := cmp.Diff(bus.Delivery{}, d); diff != "" {
				t.Errorf("a refused push leaves %s", diff)
			}
			return
		}
		if d.ID == "" || len(body) > 10*bus.MaxMessage {
			t.Errorf("a delivery without an id, or of %d bytes", len(body))
		}
		again, err := bus.EncodePush(d)
		if err != nil {
			if y := d.Published.Year(); y >= 0 && y <= 9999 {
				t.Fatal(err)
			}
			return // no JSON has such a time
		}
		got, err := bus.DecodePush(push(string(again)))
		if err != nil {
			if len(again) <= 10*bus.MaxMessage {
				t.Fatalf("%v: %s", err, again)
			}
			return
		}
		if len(got.Attributes)+len(d.Attributes) == 0 {
			got.Attributes, d.Attributes = nil, nil
		}
		if len(got.Data)+len(d.Data) == 0 {
			got.Data, d.Data = nil, nil
		}
		if diff := cmp.Diff(d, got); diff != "" {
			t.Errorf("(-read +written and read again):\n%s", diff)
		}
	})
}
