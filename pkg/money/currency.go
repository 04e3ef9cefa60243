// Package money holds exact amounts of money: a decimal together with its ISO 4217 currency.
//
// An amount never has more decimals than its currency has minor units, so every value can be written as a whole
// number of minor units and back without loss. Text and JSON numbers that cannot be held exactly are refused, not
// rounded. The package is pure: no I/O, no clock, no randomness.
package money

import (
	"fmt"
	"strings"
)

// Currency is an ISO 4217 alphabetic code in upper case, such as "USD".
type Currency string

// The currencies the product ships bank accounts for (feature F08); every other code of ISO 4217 works the same way.
const (
	USD Currency = "USD"
	CAD Currency = "CAD"
	EUR Currency = "EUR"
	GBP Currency = "GBP"
)

// minorUnits lists the ISO 4217 codes whose number of decimals is not two.
var minorUnits = map[Currency]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0,
	"UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// twoDecimals is the rest of the active ISO 4217 list; a code in neither table is unknown.
const twoDecimals = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD " +
	"CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG " +
	"HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK " +
	"MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS " +
	"SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG "

// ParseCurrency reads an ISO 4217 code in either case, with blanks around it allowed. An unknown code is an error.
func ParseCurrency(s string) (Currency, error) {
	c := Currency(strings.ToUpper(strings.TrimSpace(s)))
	if !c.Known() {
		return "", fmt.Errorf("currency %q is not an ISO 4217 code; expected three letters such as USD", s)
	}
	return c, nil
}

// Known reports whether c is an active ISO 4217 code.
func (c Currency) Known() bool {
	if _, ok := minorUnits[c]; ok {
		return true
	}
	return len(c) == 3 && !strings.Contains(string(c), " ") && strings.Contains(twoDecimals, " "+string(c)+" ")
}

// MinorUnits is the number of decimals of the currency: 2 for USD, 0 for JPY, 3 for KWD. Unknown codes count as 2.
func (c Currency) MinorUnits() int {
	if n, ok := minorUnits[c]; ok {
		return n
	}
	return 2
}

// Lower is the code in lower case, as Invoiced writes it (invoiced-api 11.2).
func (c Currency) Lower() string { return strings.ToLower(string(c)) }
