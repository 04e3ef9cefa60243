// Package invoiced connects arbridge to the Invoiced.com payment portal: customers, contacts, invoices, credit notes,
// files, payments, events and webhooks (invoiced-api). A Connector serves one account, which is one company.
//
// # Facts of the API
//
// The API has no version in its paths. It speaks JSON over HTTPS with HTTP Basic, the API key as user name and no
// password (1.2). Lists are bare arrays in pages of 100 that must be read in sequence along the Link header (1.5). No
// rate limit is published; the defaults are 5 calls a second and 4 in flight, and Retry-After is honoured (1.7).
// Idempotency keys are sent with creations and never relied upon: after a lost answer the number is looked up (14.1).
//
// # Quirks that the code answers to
//
//   - Business dates are instants. They go out as noon in the company's zone and come in as the calendar date there;
//     UTC would move them by a day in the Americas (11.4).
//   - Taxes are never computed by the portal: calculate_taxes is always false and the tax is one flat amount (4.5).
//   - Freight is a line of type "shipping"; there is no shipping amount (4.5).
//   - A new invoice may be mailed by the portal unless it is marked sent. Whether creation accepts that mark is not
//     documented, so it is repeated as an update when the answer does not show it (4.7, 13).
//   - PATCH replaces items, taxes, discounts, attachments and metadata as a whole (4.6, 8, 11.1).
//   - An empty text means null to the API, so null is sent (1.3).
//   - Contacts hold no metadata, so their ids can only be kept on our side (3).
//   - Applications of a payment are only sent when asked for with include=applied_to (6.2).
//   - The date limits of the events list are not documented; they are verified on every page (14.4).
//   - Whether updated_after includes its own second is not documented; one second less is asked for (1.6).
//   - Lists in the order of changes shift while they are read. They restart at the last change seen instead of counting
//     pages, so nothing is missed; a record changed meanwhile comes twice, the later form last. Key them by id.
//   - A failed charge may name no payment; its event then has no object, only a customer (9.2).
//   - A duplicate number is expected as a 400 naming the parameter number (11.3, assumed); it is ClassConflict.
//
// # What is missing
//
// Portal comments can be neither listed nor written: the API has no operation for them, and events tell of them at best
// (7.1). Refunds have no events and no list; they show in a charge's refunded amount (6.4). Contacts, files and notes
// have no metadata. Merging customers is possible in the dashboard only (12). Settings of the account can not be read
// (13). Charges are not initiated, customers not deleted, and payments not voided by this connector.
//
// # Operations used
//
//	operation                                     by                       reference
//	GET    /customers?per_page=1                  Check                    1.2, 2.1
//	GET    /customers?filter[number]              FindCustomers            2.1, 1.6, 14.1
//	GET    /customers?sort=updated_at ASC         ListCustomers            2.1, 1.5
//	GET    /customers/:id                         Customer                 2.1
//	POST   /customers                             CreateCustomer           2.1, 2.2
//	PATCH  /customers/:id                         UpdateCustomer           2.1, 14.5
//	GET    /customers/:id/contacts                Contacts                 3
//	POST   /customers/:id/contacts                CreateContact            3
//	PATCH  /customers/:id/contacts/:id            UpdateContact            3
//	DELETE /customers/:id/contacts/:id            DeleteContact            3
//	GET    /invoices?filter[number]               FindDocuments            4.1, 14.1
//	GET    /invoices?sort=updated_at ASC          ListDocuments            4.1, 1.5
//	GET    /invoices/:id                          Document                 4.1
//	POST   /invoices                              CreateDocument           4.2, 4.5
//	PATCH  /invoices/:id                          UpdateDocument, Attach   4.6, 4.7, 8
//	POST   /invoices/:id/void                     VoidDocument             4.1, 12
//	GET    /invoices/:id/attachments              Attachments              8
//	GET    /invoices/:id (application/pdf)        PDF                      1.3
//	the same below /credit_notes                  the same                 5.1, 5.2
//	GET    /payments/:id?include=applied_to       Payment                  6.1, 6.2
//	GET    /payments?updated_after                ListPayments             6.1, 14.4
//	GET    /payments/:id (application/pdf)        PDF                      6.1
//	POST   /payments                              ApplyCreditNote          5.3
//	GET    /events?start_date&end_date            Events                   9.3, 14.4
//	POST   /files (multipart)                     UploadFile               8
//	DELETE /files/:id                             DeleteFile               8
//	webhook deliveries                            Verify, ParseEvent       9.1, 10
package invoiced
