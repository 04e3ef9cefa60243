package bus_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/bus"
)

func push(body string) *http.Request {
	return httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
}

func TestDecodePushReadsWhatPubSubSends(t *testing.T) {
	const body = `{
		"deliveryAttempt": 3,
		"message": {
			"attributes": {"flow": "sync"},
			"data": "eyJpZCI6IjEifQ==",
			"messageId": "2070443601311540", "message_id": "2070443601311540",
			"orderingKey": "us/invoice/104233",
			"publishTime": "2026-02-26T19:13:55.749Z", "publish_time": "2026-02-26T19:13:55.749Z"
		},
		"subscription": "projects/p/subscriptions/tasks"
	}`
	got, err := bus.DecodePush(push(body))
	if err != nil {
		t.Fatal(err)
	}
	want := bus.Delivery{
		Subscription: "projects/p/subscriptions/tasks", ID: "2070443601311540", Key: "us/invoice/104233", Data: []byte(`{"id":"1"}`),
		Attributes: map[string]string{"flow": "sync"}, Attempt: 3, Published: time.Date(2026, 2, 26, 19, 13, 55, 749_000_000, time.UTC),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodePushOfTheLeast(t *testing.T) {
	got, err := bus.DecodePush(push(`{"message":{"messageId":"1"}}`))
	if err != nil || got.ID != "1" || got.Attempt != 0 || len(got.Data) != 0 || got.Key != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestDecodePushRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "hello", "an array": "[]", "no message": `{"subscription":"s"}`, "no id": `{"message":{"data":"eA=="}}`,
		"data that is no base64": `{"message":{"messageId":"1","data":"***"}}`, "a time that is none": `{"message":{"messageId":"1","publishTime":"now"}}`,
		"a cloud event": `{"id":"1","source":"x","specversion":"1.0","data":{}}`,
		"too much":      `{"message":{"messageId":"1","data":"` + strings.Repeat("A", 10*bus.MaxMessage) + `"}}`,
	} {
		if got, err := bus.DecodePush(push(body)); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	broken := errors.New("connection lost")
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("{"), failing{broken}))
	if _, err := bus.DecodePush(r); !errors.Is(err, broken) {
		t.Errorf("unreadable body: %v", err)
	}
}

func TestTheLargestMessageFits(t *testing.T) {
	in := bus.Delivery{ID: "1", Data: bytes.Repeat([]byte{0xff}, bus.MaxMessage), Attributes: map[string]string{"a": strings.Repeat("x", 1024)}}
	body, err := bus.EncodePush(in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := bus.DecodePush(push(string(body)))
	if err != nil || !bytes.Equal(got.Data, in.Data) {
		t.Errorf("%d bytes came through, error %v", len(got.Data), err)
	}
}

func TestEnvelopesSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := bus.Delivery{
			Subscription: rapid.String().Draw(t, "subscription"), ID: rapid.StringN(1, 20, -1).Draw(t, "id"), Key: rapid.String().Draw(t, "key"),
			Data:      rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "data"),
			Attempt:   rapid.IntRange(0, 9).Draw(t, "attempt"),
			Published: time.UnixMicro(rapid.Int64Range(0, 4_000_000_000_000_000).Draw(t, "time")).UTC(),
		}
		if n := rapid.IntRange(0, 3).Draw(t, "attributes"); n > 0 {
			in.Attributes = map[string]string{}
			for range n {
				in.Attributes[rapid.String().Draw(t, "name")] = rapid.String().Draw(t, "value")
			}
		}
		body, err := bus.EncodePush(in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := bus.DecodePush(push(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, got); diff != "" {
			t.Fatalf("(-sent +received):\n%s", diff)
		}
		if !bytes.Contains(body, []byte(base64.StdEncoding.EncodeToString(in.Data))) {
			t.Fatalf("the data is not in standard base64: %s", body)
		}
	})
}

func TestAcknowledged(t *testing.T) {
	acknowledging := []int{102, 200, 201, 202, 204}
	for status := 100; status < 600; status++ {
		if got := bus.Acknowledged(status); got != slices.Contains(acknowledging, status) {
			t.Errorf("%d acknowledges: %v", status, got)
		}
	}
}

func TestTopicsAreListedOnce(t *testing.T) {
	want := []string{bus.TopicTicks, bus.TopicTasks, bus.TopicEvents}
	if !slices.Equal(bus.Topics, want) {
		t.Errorf("topics %v, want %v", bus.Topics, want)
	}
}
