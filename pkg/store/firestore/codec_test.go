package firestore

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/internal/document"
)

func TestEncode(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"kinds", `{"s":"x","i":9223372036854775807,"b":true,"n":null,"a":[1,{"k":"v"}],"o":{}}`, `{"fields":{
			"s":{"stringValue":"x"}, "i":{"integerValue":"9223372036854775807"}, "b":{"booleanValue":true}, "n":{"nullValue":null},
			"a":{"arrayValue":{"values":[{"integerValue":"1"},{"mapValue":{"fields":{"k":{"stringValue":"v"}}}}]}},
			"o":{"mapValue":{}}, "_id":{"stringValue":"us/1"}, "_write":{"stringValue":"mark"}}}`},
		{"arrays in arrays", `{"a":[[1],[]]}`, `{"fields":{"a":{"arrayValue":{"values":[
			{"mapValue":{"fields":{"_list":{"arrayValue":{"values":[{"integerValue":"1"}]}}}}},
			{"mapValue":{"fields":{"_list":{"arrayValue":{}}}}}]}},
			"_id":{"stringValue":"us/1"}, "_write":{"stringValue":"mark"}}}`},
		{"names", `{"":1,"__x__":2,"_id":3,"o":{"_list":4,"_k_":5}}`, `{"fields":{
			"_k_":{"integerValue":"1"}, "_k___x__":{"integerValue":"2"}, "_k__id":{"integerValue":"3"},
			"o":{"mapValue":{"fields":{"_k__list":{"integerValue":"4"}, "_k__k_":{"integerValue":"5"}}}},
			"_id":{"stringValue":"us/1"}, "_write":{"stringValue":"mark"}}}`},
		{"retention", `{"expire_at":"2026-11-21T10:00:00.123456Z","o":{"expire_at":"2026-11-21T10:00:00.123456Z"}}`, `{"fields":{
			"expire_at":{"timestampValue":"2026-11-21T10:00:00.123456Z"},
			"o":{"mapValue":{"fields":{"expire_at":{"stringValue":"2026-11-21T10:00:00.123456Z"}}}},
			"_id":{"stringValue":"us/1"}, "_write":{"stringValue":"mark"}}}`},
		{"retention in another form", `{"expire_at":"2026-11-21T10:00:00Z"}`, `{"fields":{
			"expire_at":{"stringValue":"2026-11-21T10:00:00Z"}, "_id":{"stringValue":"us/1"}, "_write":{"stringValue":"mark"}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := document.Parse([]byte(c.data))
			if err != nil {
				t.Fatal(err)
			}
			got := &firestorepb.Document{Fields: encode("us/1", "mark", o)}
			want := &firestorepb.Document{}
			if err := protojson.Unmarshal([]byte(c.want), want); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
				t.Errorf("encode (-want +got):\n%s", d)
			}
			got.UpdateTime = &timestamppb.Timestamp{Seconds: 2, Nanos: 3000}
			back, err := decode(got)
			if err != nil {
				t.Fatal(err)
			}
			text, err := document.Encode(o)
			if err != nil || string(back.Data) != string(text) || back.ID != "us/1" || back.Version != "2000003000" {
				t.Errorf("decode = %s %s %s, %v; want us/1 2000003000 %s", back.ID, back.Version, back.Data, err, text)
			}
		})
	}
}

// TestEditedByHand: what a person may have made of a document in the console is an error that names the field.
func TestEditedByHand(t *testing.T) {
	for _, c := range []struct {
		name, fields string
		fraction     bool
	}{
		{"floating point", `{"total":{"doubleValue":1.5}}`, true},
		{"floating point below", `{"total":{"mapValue":{"fields":{"x":{"arrayValue":{"values":[{"doubleValue":2}]}}}}}}`, true},
		{"bytes", `{"total":{"bytesValue":"eA=="}}`, false},
		{"place", `{"total":{"geoPointValue":{"latitude":1}}}`, false},
		{"time", `{"total":{"timestampValue":"2026-11-21T10:00:00Z"}}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &firestorepb.Document{}
			if err := protojson.Unmarshal([]byte(`{"fields":`+c.fields+`}`), d); err != nil {
				t.Fatal(err)
			}
			_, err := decode(d)
			if err == nil || !strings.Contains(err.Error(), `field "total"`) || errors.Is(err, store.ErrFraction) != c.fraction {
				t.Errorf("decode = %v; want an error naming the field, ErrFraction %v", err, c.fraction)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	at := &timestamppb.Timestamp{Seconds: 1795299160, Nanos: 123456000}
	if back := updateTime(versionOf(at)); !proto.Equal(back, at) {
		t.Errorf("version %s is %v, want %v", versionOf(at), back, at)
	}
	for _, v := range []store.Version{"", "x", "0", "-5", "1795299160123456789", "99999999999999999999"} {
		if got := updateTime(v); got.GetSeconds() != 1 || got.GetNanos() != 0 {
			t.Errorf("foreign version %q is %v; want the time that never matches", v, got)
		}
	}
}

// forbidden is what Firestore does not take as a document id.
var forbidden = regexp.MustCompile(`/|^\.\.?$|^__.*__$`)

func TestDocumentIDs(t *testing.T) {
	readable := map[string]string{
		"us/invoice/INV-1": "-us~invoice~INV-1", "a~b": "-a%7Eb", "a%2Fb": "-a%252Fb", "..": "-..",
	}
	for id, want := range readable {
		if got := documentID(id); len(got) != 8+len(want) || got[8:] != want {
			t.Errorf("documentID(%q) = %q, want 8 digits and %q", id, got, want)
		}
	}
	seen := make(map[string]string)
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.OneOf(
			rapid.StringN(0, 20, 60), rapid.SampledFrom([]string{"%", "/", "~", "__", strings.Repeat("/", 300), strings.Repeat("発", 200)}),
		), 1, 4).Draw(t, "parts")
		id := strings.Join(parts, "")
		if document.Key(store.Records, id) != nil {
			return
		}
		got := documentID(id)
		if len(got) > 1500 || forbidden.MatchString(got) || !utf8.ValidString(got) {
			t.Fatalf("documentID(%q) = %q, which Firestore does not take", id, got)
		}
		if was, ok := seen[got]; ok && was != id {
			t.Fatalf("%q and %q are both %q", id, was, got)
		}
		seen[got] = id
	})
	spread := make(map[byte]int)
	for i := range 1600 {
		spread[documentID(store.ID("us", "invoice", strings.Repeat("1", 1+i%30), string(rune('a'+i/30))))[0]]++
	}
	for digit, n := range spread {
		if len(spread) != 16 || n > 200 {
			t.Errorf("%d of 1600 ids start with %c, and %d digits are in use; want them spread over 16", n, digit, len(spread))
		}
	}
}
