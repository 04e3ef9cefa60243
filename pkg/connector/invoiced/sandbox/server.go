// Package sandbox is a server that behaves as Invoiced.com does, for local runs, demos and tests (invoiced-api 16).
//
// It is strict where the vendor is strict and nasty where the vendor is nasty, and its state is durable: object changes,
// the events they cause and the webhook deliveries still to be made are one commit, written before the answer leaves, so
// that a killed process continues where it stopped. Several Invoiced businesses live in one server; the API key chooses.
//
// The vendor's API is at the root. A control interface under /_sim/, open to loopback only, plays the people the API
// does not show: customers in the portal, banks, vendor staff. Rules that nobody has verified on a live account
// ([A] in the reference) are fields of Options, so that a live finding changes a value.
package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
	"github.com/arbridge/arbridge/pkg/money"
	kit "github.com/arbridge/arbridge/pkg/sandbox"
)

// Config is what a Server needs.
type Config struct {
	// StatePath is the file of the state; files uploaded live beside it. Empty keeps everything in memory.
	StatePath string
	// PublicURL is the scheme and host in portal links, such as http://127.0.0.1:8090. Empty takes the host that the
	// current request was sent to.
	PublicURL string
	Clock     clock.Clock
	Accounts  []Account
	Options   Options
	Logger    *slog.Logger
}

// Key is one API key of an account (invoiced-api 1.2).
type Key struct {
	Value    string
	ReadOnly bool // answers 403 to writes
}

// Account is one Invoiced business with the dashboard settings that change behaviour (invoiced-api 13).
type Account struct {
	Name     string // chooses the account in the control interface
	Location *time.Location
	Currency string // ISO 4217, either case
	Country  string // ISO 3166 alpha-2; empty is US
	APIKeys  []Key

	WebhookURL    string // empty: none configured
	WebhookSecret string

	AutoApplyCredits bool // Apply Credits to New Invoices
	AutoSend         bool // mails new invoices five minutes after they are issued
	// AutoTaxPercent is added by the vendor itself to documents created without calculate_taxes:false for taxable
	// customers. Zero adds nothing.
	AutoTaxPercent decimal.Decimal
	// ConvenienceFeePercent is charged on card payments in the portal and by AutoPay, 0 to 4.
	ConvenienceFeePercent decimal.Decimal
}

// Options are the sandbox's switches. The zero value is the behaviour the reference assumes; every other value is
// another answer that a live account might turn out to give.
type Options struct {
	// Transport (invoiced-api 16.1).

	StrictPaging       bool // T7: a page whose predecessor was not fetched lately is an error
	DefaultPerPage     int  // T6, Q11: 0 is 100
	RejectLargePages   bool // T6: per_page above 100 is an error instead of being lowered
	RejectUnknownKeys  bool // T14: unknown body keys are an error
	IgnoreBadFilters   bool // filters and sorts on unknown properties are ignored instead of refused
	UpdatedAfterEquals bool // updated_after also returns records of exactly that second
	Idempotency        bool // T11: Idempotency-Key is honoured for 24 hours
	MetadataArray      bool // S2: empty metadata is [] instead of {}

	// Limits (invoiced-api 11).

	MaxText     int   // characters of names, numbers, addresses; 0 is 255
	MaxLongText int   // characters of notes and descriptions; 0 is 4000
	MaxFileSize int64 // bytes of an uploaded file; 0 is 25 MiB

	// Documents (invoiced-api 4, 5, 12).

	AllowDuplicateNumbers bool // S4
	AllowReissueToDraft   bool // 4.7: an issued document may become a draft again
	AllowEditVoided       bool // 12
	AllowVoidApplied      bool // S11: voiding un-applies payments instead of being refused
	AllowDeleteApplied    bool // S11: deleting un-applies payments instead of being refused
	AllowVoidTwice        bool // S11
	RefuseNegativeLines   bool // 4.5, Q14
	RefuseZeroTotals      bool // Q14
	UpperCaseRefused      bool // 11.2: currencies in upper case are an error
	RoundHalfEven         bool // 4.5
	WholeDiscountOffTax   bool // 4.5: the whole document discount lowers the tax base
	PastDueByInstant      bool // Q15: past due from the second of due_date instead of the next day in the account's zone
	NoEarlyDiscounts      bool // 4.4: "2% 10 NET 30" adds no discount
	AllowCustomerDelete   bool // 2.1: deleting a customer with documents takes them along instead of being refused

	// Payments (invoiced-api 6).

	PendingReducesBalance bool   // a pending payment lowers the balance at once instead of when it settles
	SilentPending         bool   // Q6: payment.created is only sent when a pending payment succeeds
	CreditPaymentAmount   bool   // Q5: a payment of pure credits carries their sum as amount instead of 0
	RefundEvents          bool   // Q7: a refund sends payment.updated
	VoidSendsUpdated      bool   // 9.2: voiding a payment sends payment.updated before payment.deleted
	PortalSource          string // Q16: payment.source of portal payments; empty is customer_portal

	// Events and webhooks (invoiced-api 9, 10).

	CommentedEvents    bool          // 7.1: portal comments also send the retired invoice.commented
	ViewedFirst        bool          // 16.4: invoice.viewed comes before the invoice.updated of a view
	SignaturePrefix    string        // Q3: such as "sha256="
	RetryInterval      time.Duration // of undelivered webhooks; 0 is one hour
	MaxAttempts        int           // tries of one delivery before the endpoint is disabled; 0 is 49 (1 + 48 retries)
	DeliveryTimeout    time.Duration // real time; 0 is 30 seconds
	DeliveryWorkers    int           // deliveries in flight; 0 is 8
	KeepExhausted      bool          // exhausted deliveries do not disable the endpoint
	FirstID            int64         // the first object id; 0 is 5000001
	Seed               uint64        // of tokens and gateway ids, so that a run can be repeated; 0: truly random
	IdempotencyWindow  time.Duration // 0 is 24 hours
	StrictPagingWindow time.Duration // 0 is 10 minutes
}

func (o Options) withDefaults() Options {
	number := func(at *int, value int) {
		if *at == 0 {
			*at = value
		}
	}
	number(&o.DefaultPerPage, maxPerPage)
	number(&o.MaxText, 255)
	number(&o.MaxLongText, 4000)
	number(&o.MaxAttempts, 49)
	number(&o.DeliveryWorkers, 8)
	span := func(at *time.Duration, value time.Duration) {
		if *at == 0 {
			*at = value
		}
	}
	span(&o.RetryInterval, time.Hour)
	span(&o.DeliveryTimeout, 30*time.Second)
	span(&o.IdempotencyWindow, 24*time.Hour)
	span(&o.StrictPagingWindow, 10*time.Minute)
	if o.MaxFileSize == 0 {
		o.MaxFileSize = 25 << 20
	}
	if o.FirstID == 0 {
		o.FirstID = 5_000_001
	}
	if o.PortalSource == "" {
		o.PortalSource = "customer_portal"
	}
	return o
}

func (c Config) validate() error {
	if c.Clock == nil || c.Logger == nil {
		return errors.New("invoiced sandbox: Clock and Logger are required")
	}
	if len(c.Accounts) == 0 {
		return errors.New("invoiced sandbox: at least one account is required")
	}
	names, keys := map[string]bool{}, map[string]bool{}
	for i, a := range c.Accounts {
		if a.Name == "" || names[a.Name] {
			return fmt.Errorf("invoiced sandbox: account %d: Name %q is empty or used twice", i, a.Name)
		}
		names[a.Name] = true
		if a.Location == nil {
			return fmt.Errorf("invoiced sandbox: account %s: Location is required", a.Name)
		}
		if _, err := money.ParseCurrency(a.Currency); err != nil {
			return fmt.Errorf("invoiced sandbox: account %s: %w", a.Name, err)
		}
		if fee := a.ConvenienceFeePercent; fee.IsNegative() || fee.GreaterThan(maxFeePercent) {
			return fmt.Errorf("invoiced sandbox: account %s: ConvenienceFeePercent must be 0 to 4", a.Name)
		}
		for _, k := range a.APIKeys {
			if k.Value == "" || keys[k.Value] {
				return fmt.Errorf("invoiced sandbox: account %s: an API key is empty or used twice", a.Name)
			}
			keys[k.Value] = true
		}
	}
	return nil
}

// account is an Account in use.
type account struct {
	Account
	currency string // lower case
	country  string
}

type grant struct {
	acct     *account
	readOnly bool
}

// Server is the sandbox. Use New.
type Server struct {
	// Calls is the journal of requests to the vendor's API; the control interface and the portal are not in it.
	Calls kit.Calls
	// Faults makes requests to the vendor's API fail.
	Faults kit.Faults

	opt       Options
	clk       clock.Clock
	log       *slog.Logger
	publicURL string
	accounts  []*account
	keys      map[string]grant
	schemas   map[string]*schema
	terms     termPatterns
	files     fileStore
	client    *http.Client
	handler   http.Handler

	offset   atomic.Int64 // nanoseconds this server's clock runs ahead of clk
	lastBase atomic.Value // string: scheme and host of the last request
	nextDue  atomic.Int64 // unix seconds of the earliest scheduled work; 0 is none
	wake     chan struct{}

	seedLock sync.Mutex
	seeded   *mathrand.ChaCha8 // nil without Options.Seed

	mu       sync.RWMutex // guards everything below
	store    *objects.Store
	schedule map[int64]due      // object id → when the sandbox must act on it by itself
	queue    deliveries         // webhook deliveries by time
	pending  map[int64]struct{} // delivery ids not finished
	chaos    map[string]*chaosState
	pages    pageTracker
}

// New opens the state and makes the server. Errors: a Config without clock, logger or account, keys used twice, a state
// file that cannot be read.
func New(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		opt: cfg.Options.withDefaults(), clk: cfg.Clock, log: cfg.Logger, publicURL: strings.TrimSuffix(cfg.PublicURL, "/"),
		keys: map[string]grant{}, schemas: map[string]*schema{}, wake: make(chan struct{}, 1),
		schedule: map[int64]due{}, pending: map[int64]struct{}{}, chaos: map[string]*chaosState{},
		files: newFileStore(cfg.StatePath), terms: newTermPatterns(),
	}
	s.client = newDeliveryClient(s.opt)
	if s.opt.Seed != 0 {
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], s.opt.Seed)
		s.seeded = mathrand.NewChaCha8(seed)
	}
	for _, a := range cfg.Accounts {
		acct := &account{Account: a, currency: strings.ToLower(strings.TrimSpace(a.Currency)), country: a.Country}
		if acct.country == "" {
			acct.country = "US"
		}
		s.accounts = append(s.accounts, acct)
		for _, k := range a.APIKeys {
			s.keys[k.Value] = grant{acct, k.ReadOnly}
		}
	}
	for _, sc := range allSchemas() {
		s.schemas[sc.kind] = sc
	}
	var err error
	if s.store, err = objects.Open(cfg.StatePath, blank); err != nil {
		return nil, fmt.Errorf("starting invoiced sandbox: %w", err)
	}
	s.offset.Store(s.store.Counter(clockCounter))
	s.resume()
	for _, a := range s.accounts {
		if err := s.seedWebhook(a); err != nil {
			return nil, errors.Join(err, s.store.Close())
		}
	}
	s.handler = s.routes()
	return s, nil
}

// blank returns an empty object of a stored kind.
func blank(kind string) objects.Object {
	makers := map[string]func() objects.Object{
		"customer": func() objects.Object { return &customer{} },
		"contact":  func() objects.Object { return &contact{} },
		"payment":  func() objects.Object { return &payment{} },
		"event":    func() objects.Object { return &event{} },
		"webhook":  func() objects.Object { return &webhook{} },
		"file":     func() objects.Object { return &file{} },
		"note":     func() objects.Object { return &note{} },
		"task":     func() objects.Object { return &task{} },
		"email":    func() objects.Object { return &email{} },
		"answer":   func() objects.Object { return &recorded{} },
		"chaos":    func() objects.Object { return &chaosSetting{} },

		"webhook_attempt":           func() objects.Object { return &delivery{} },
		"credit_balance_adjustment": func() objects.Object { return &adjustment{} },
	}
	switch kind {
	case "invoice", "credit_note":
		return &document{Type: kind}
	case "tax_rate", "coupon", "item":
		return &rate{Type: kind}
	}
	if maker := makers[kind]; maker != nil {
		return maker()
	}
	return nil
}

func allSchemas() []*schema {
	return []*schema{
		customerSchema(), contactSchema(), invoiceSchema(), creditNoteSchema(), paymentSchema(), eventSchema(),
		webhookSchema(), deliverySchema(), fileSchema(), noteSchema(), taskSchema(), emailSchema(),
		rateSchema("tax_rate"), rateSchema("coupon"), rateSchema("item"), adjustmentSchema(),
	}
}

// resume rebuilds what is derived from the stored objects.
func (s *Server) resume() {
	for _, a := range s.accounts {
		for _, kind := range []string{"invoice", "payment"} {
			for _, id := range s.store.IDs(kind, a.Name) {
				s.reschedule(s.store.Get(kind, a.Name, id))
			}
		}
		for _, id := range s.store.IDs("webhook_attempt", a.Name) {
			s.enqueue(s.store.Get("webhook_attempt", a.Name, id).(*delivery))
		}
		for _, id := range s.store.IDs("chaos", a.Name) {
			c := s.store.Get("chaos", a.Name, id).(*chaosSetting)
			s.chaos[a.Name] = newChaosState(c.Chaos)
		}
	}
}

// Handler serves the vendor's API behind the journal and the faults, the portal links, and the control interface.
func (s *Server) Handler() http.Handler { return s.handler }

// Now is the server's time: the clock it was given plus what MoveClock added.
func (s *Server) Now() time.Time { return s.clk.Now().Add(time.Duration(s.offset.Load())) }

// Close closes the state file. Stop Run and the HTTP server first.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client.CloseIdleConnections()
	if err := s.store.Close(); err != nil {
		return fmt.Errorf("closing invoiced sandbox: %w", err)
	}
	return nil
}

// account chooses an account of the control interface; with a single account the name may be empty.
func (s *Server) account(name string) (*account, error) {
	if name == "" && len(s.accounts) == 1 {
		return s.accounts[0], nil
	}
	for _, a := range s.accounts {
		if a.Name == name {
			return a, nil
		}
	}
	return nil, wire.Invalid("account", "account %q is unknown; name one of the configured accounts", name)
}

// baseURL is the scheme and host for links.
func (s *Server) baseURL(r *http.Request) string {
	if s.publicURL != "" {
		return s.publicURL
	}
	if r != nil {
		base := hostOf(r)
		s.lastBase.Store(base)
		return base
	}
	if base, ok := s.lastBase.Load().(string); ok {
		return base
	}
	return "http://127.0.0.1"
}

// hostOf is the scheme and host exactly as the client called them (T4).
func hostOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// nudge makes Run look again.
func (s *Server) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run delivers webhooks and does scheduled work until ctx ends, whose error it then returns. Deliveries still pending
// stay in the state and go on with the next Run.
func (s *Server) Run(ctx context.Context) error {
	slots := make(chan struct{}, s.opt.DeliveryWorkers)
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	for {
		if err := s.sweep(); err != nil {
			s.log.Error("scheduled work of the invoiced sandbox", "error", err)
		}
		job, wait := s.takeDelivery()
		if job == nil {
			if err := s.idle(ctx, wait); err != nil {
				return err
			}
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			s.requeue(job)
			return ctx.Err()
		}
		inFlight.Go(func() {
			defer func() { <-slots }()
			s.deliver(ctx, job)
		})
	}
}

// idle waits for a nudge or for wait to pass; a negative wait has no end.
func (s *Server) idle(ctx context.Context, wait time.Duration) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := make(chan struct{})
	if wait >= 0 {
		go func() {
			_ = s.clk.Sleep(inner, wait) // ended by cancel, which needs no answer
			close(timer)
		}()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.wake:
	case <-timer:
	}
	return nil
}
