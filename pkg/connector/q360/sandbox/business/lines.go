package business

import (
	"math/rand/v2"
	"strings"

	"github.com/shopspring/decimal"
)

// line is an invoice line. Amount is what the ERP shows, which is not always quantity times price.
type line struct {
	item, description string
	quantity, price   decimal.Decimal
	amount            decimal.Decimal
}

type product struct {
	item, description string
	price             int // in hundredths
}

func catalogue() []product {
	return []product{
		{"DSP-900", "DSP processor", 90000}, {"LAB-INST", "Installation labour", 11250}, {"MIC-CEIL", "Ceiling microphone array", 84995},
		{"DISP-75", "75\" display <UHD>", 159900}, {"CAB-HDMI", "HDMI cable, 10 m", 3799}, {"CTRL-8", "Control processor", 129500},
		{"PM-HOUR", "Project management", 13500}, {"RACK-42", "Equipment rack & shelves", 74925}, {"SPK-PEND", "Pendant loudspeaker", 21333},
		{"LIC-UC", "Unified communications licence", 1599}, {"CAM-PTZ", "PTZ camera", 118775}, {"SVC-CALL", "Service call", 18500},
	}
}

// someLines makes up n ordinary lines. Quantities are whole or in quarters.
func someLines(r *rand.Rand, n int) []line {
	out := make([]line, n)
	for i := range out {
		p := pick(r, catalogue())
		quantity := decimal.New(int64(1+r.IntN(6)), 0)
		if strings.Contains(p.item, "LAB") || p.item == "PM-HOUR" {
			quantity = decimal.New(int64(25*(1+r.IntN(64))), -2)
		}
		out[i] = line{item: p.item, description: p.description, quantity: quantity, price: cents(p.price - r.IntN(p.price/20+1))}
		out[i].amount = out[i].quantity.Mul(out[i].price).Round(2)
	}
	return out
}

func sum(lines []line) decimal.Decimal {
	var total decimal.Decimal
	for _, l := range lines {
		total = total.Add(l.amount)
	}
	return total
}

// negate turns lines into those of a credit: the quantity carries the sign.
func negate(lines []line) []line {
	for i := range lines {
		lines[i].quantity, lines[i].amount = lines[i].quantity.Neg(), lines[i].amount.Neg()
	}
	return lines
}

// longText is close to the longest description that the column takes, with line breaks.
func longText() string {
	paragraph := "Scope of work: supply, install, configure and commission the audio-visual systems listed below, including rack build, " +
		"cable dressing, programming, testing and user training; excludes electrical work, core drilling and asbestos surveys.\r\n"
	return strings.Repeat(paragraph, 17)[:3900]
}
