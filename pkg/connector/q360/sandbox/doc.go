// Package sandbox is a server that behaves like a Q360 site: its native API over an in-memory, durable database, with
// the vendor's strictness and traps (q360-api 1 and 5). It never speaks arbridge's own contract.
//
// Every write is one transaction that is in the state log before the answer leaves, so a killed process comes back with
// every answered write and nothing of an unanswered half. Datetimes are wall clock times of the server's zone without an
// offset, amounts are SQL money with four decimals, text compares as the usual case-insensitive SQL Server collation does.
//
// Refusals carry these reference codes: DataSourceNotPermitted, EditConditionNotMet, NotATable, RequestMissing,
// RequestInvalid, InvalidColumn, InvalidOperator, InvalidValue, LimitExceeded, MandatoryField, InvalidReference,
// DuplicateKey, RecordNotFound, RecordInUse, ReadOnlyColumn, KeyMissing, DocumentNotFound, InvoicePosted, NotPosted,
// InvoiceHasReceipts, ClosedPeriod, InvalidAmount, InvalidCustomer, NotABankAccount, CurrencyMismatch, CompanyMismatch,
// OverApplied, ReceiptExceeded, InvalidItemType, ReceiptPosted, JournalReadOnly.
//
// Under /__sandbox/ lies the control interface for tests and demos. It answers on loopback only, is not subject to faults
// and is not in the call journal.
package sandbox
