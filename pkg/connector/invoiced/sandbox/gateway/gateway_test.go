package gateway_test

import (
	"testing"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/gateway"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

// invoiced-api 6.6.
func TestInstruments(t *testing.T) {
	for _, c := range []struct {
		text, method, last4 string
		does                gateway.Behaviour
	}{
		{"4242 4242 4242 4242", "credit_card", "4242", gateway.Succeeds},
		{"tok_4111-1111-1111-1111", "credit_card", "1111", gateway.Succeeds},
		{"5454545454545454", "credit_card", "5454", gateway.Succeeds},
		{"3782 822463 10005", "credit_card", "0005", gateway.Succeeds},
		{"4000 0000 0000 0069", "credit_card", "0069", gateway.Declined},
		{"4000 0000 0000 0127", "credit_card", "0127", gateway.Broken},
		{"110000000/123456789", "ach", "6789", gateway.Succeeds},
		{"123123123/123123456", "ach", "3456", gateway.Declined},
		{"123123123/123123893", "ach", "3893", gateway.PendingSucceeds},
		{"123123123/000222222227", "ach", "2227", gateway.PendingFails},
		{"123123123/000111111116", "ach", "1116", gateway.Broken},
		{"de89370400440532013000", "direct_debit", "3000", gateway.Succeeds},
		{"DE62370400440532013001", "direct_debit", "3001", gateway.Declined},
	} {
		s, ok := gateway.New(c.text)
		if !ok || s.Method() != c.method || s.Last4 != c.last4 || s.Behaviour() != c.does || s.IsCard() != (c.method == "credit_card") {
			t.Errorf("%s: %+v", c.text, s)
			continue
		}
		shown, _ := s.Render().(wire.Object)
		if last4, _ := shown.Get("last4"); last4 != c.last4 {
			t.Errorf("%s shows %v", c.text, last4)
		}
	}
	if s, ok := gateway.New("4242424242424241"); ok {
		t.Errorf("an unknown card gave %+v", s)
	}
	var none *gateway.Source
	if none.Behaviour() != gateway.Succeeds || none.Render() != nil || none.IsCard() || none.Method() != "ach" {
		t.Error("no source is not handled")
	}
}
