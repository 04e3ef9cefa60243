package invoiced

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
	"github.com/arbridge/arbridge/pkg/money"
)

// toItems are the lines in their order. Freight has the type "shipping" already; types are passed on.
func toItems(items []billing.PortalItem) []client.ItemFields {
	out := make([]client.ItemFields, 0, len(items))
	for _, i := range items {
		out = append(out, client.ItemFields{Name: client.Filled(i.Name), Description: client.Filled(i.Description),
			Type: client.Filled(i.Type), Quantity: client.NewNumber(i.Quantity), UnitCost: client.NewNumber(i.UnitCost)})
	}
	return out
}

// toTaxes is the one flat tax, or none for a tax of zero (invoiced-api 4.5).
func toTaxes(d billing.PortalDocument) []client.TaxFields {
	if d.Tax.IsZero() {
		return []client.TaxFields{}
	}
	return []client.TaxFields{{Amount: client.NewNumber(d.Tax.Decimal())}}
}

// sumTaxes adds the taxes up, exactly.
func sumTaxes(taxes []client.Tax, cur money.Currency) (money.Money, error) {
	sum := decimal.Zero
	for _, t := range taxes {
		if !t.Amount.Given {
			return money.Money{}, missing("the amount of a tax")
		}
		sum = sum.Add(t.Amount.Decimal)
	}
	m, err := money.FromDecimal(sum, cur)
	if err != nil {
		return money.Money{}, fmt.Errorf("taxes: %w", err)
	}
	return m, nil
}
