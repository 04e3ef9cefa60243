package invoiced

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/secret"
)

// Config says which account to call and how its company writes dates and money.
type Config struct {
	// Name is the company's name in messages.
	Name string
	// BaseURL is https://api.invoiced.com, https://api.sandbox.invoiced.com, or a loopback address.
	BaseURL string
	// APIKeySecret is the name of the secret that holds the API key.
	APIKeySecret string
	// Location is the account's time zone, needed for every date (invoiced-api 11.4).
	Location *time.Location
	// Currency is the account's currency; it stands in where the portal leaves a currency out.
	Currency money.Currency
	// Country is the company's own country as an ISO 3166 alpha-2 code. Addresses leave their own country empty, and the
	// portal wants it filled. Empty: countries are passed on as they are.
	Country string
	// PerSecond and Parallel bound the calls of the account; 5 and 4 when 0.
	PerSecond, Parallel int
	// ReadAttempts, MinBackoff and MaxBackoff govern the repetition of reads; see httpx.Options for the defaults.
	ReadAttempts           int
	MinBackoff, MaxBackoff time.Duration
	// MaxFile bounds uploads and PDFs in bytes; 10 MiB when 0, because the vendor's limit is unknown (invoiced-api Q13).
	MaxFile int64
	// CreditAmount says what the amount of a payment is that only applies a credit note; CreditAmountAbsent when empty.
	CreditAmount CreditAmount
}

// CreditAmount is how the amount of a pure credit-note application is sent. The vendor documents neither form
// (invoiced-api 5.3, Q5).
type CreditAmount string

// The forms of the amount.
const (
	CreditAmountAbsent CreditAmount = "absent"
	CreditAmountZero   CreditAmount = "zero"
)

// Deps are what a Connector works with. Only Secrets is needed.
type Deps struct {
	Secrets secret.Source
	Clock   clock.Clock  // the machine's clock when nil
	Logger  *slog.Logger // silent when nil
	HTTP    *http.Client // a client of its own when nil
	// Trace sees every call as it is sent; none when nil.
	Trace func(http.RoundTripper) http.RoundTripper
}

const defaultMaxFile = 10 << 20

func (c *Config) validate() error {
	switch {
	case c.APIKeySecret == "":
		return errors.New("APIKeySecret is empty; give the name of the secret that holds the Invoiced API key")
	case c.Location == nil:
		return errors.New("no Location; give the time zone of the Invoiced account")
	case !c.Currency.Known():
		return fmt.Errorf("config Currency %q is not an ISO 4217 code; give the currency of the Invoiced account", c.Currency)
	case c.Country != "" && !alpha2(c.Country):
		return fmt.Errorf("config Country %q is not an ISO 3166 alpha-2 code such as US", c.Country)
	}
	switch c.CreditAmount {
	case "":
		c.CreditAmount = CreditAmountAbsent
	case CreditAmountAbsent, CreditAmountZero:
	default:
		return fmt.Errorf("CreditAmount %q is neither absent nor zero", c.CreditAmount)
	}
	if c.MaxFile <= 0 {
		c.MaxFile = defaultMaxFile
	}
	return nil
}

func alpha2(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}
