// Package q360 connects to Q360, the ERP of Solutions360: it reads posted invoices, customers, sites, contacts and files,
// and writes cash receipts and history entries. One Connector serves one company of one site.
//
// Q360's public description is thin. What is certain is in package client; everything else, names of tables and columns
// and the meaning of values, is in the site's mapping file (package mapping), and Check compares that file with the
// site's own data dictionary before anything runs.
//
// # Vendor operations in use
//
//	operation                        | used for                                            | q360-api
//	---------------------------------|-----------------------------------------------------|--------------
//	GET  DataDict _a=tableList       | Check                                               | 1.4, 4.3
//	GET  DataDict _a=list            | Check; choice of the change strategy                | 1.4, 4.3
//	POST Record/INVOICE _a=list      | Invoices, Invoice, Balance                          | 4.4.2–4.4.4, 4.5
//	POST Record/INVOICEITEM _a=list  | Invoices, Invoice                                   | 4.4.3
//	POST Record/CUSTOMER _a=list     | Customers, Customer, fallbacks of invoice columns   | 4.4.5
//	POST Record/SITE _a=list         | Customers, Customer                                 | 4.4.5
//	POST Record/CONTACT _a=list      | Customers, Customer                                 | 4.4.5
//	POST Record/COMPANY _a=list      | currency of the company                             | 4.4 (15)
//	POST Record/GLACCOUNT _a=list    | Check of the bank accounts                          | 4.3
//	POST Record/CASHRECEIPT… _a=list | FindReceipts, SimilarReceipts                       | 4.4.7
//	PUT  Record                      | PreviewReceipt, CreateReceipt, CreateReceiptLines,  | 4.4.8, 4.4.9,
//	                                 | CreateHistory, probes of rights with _preview=Y     | 4.6
//	POST Record/CONTACTHISTORY       | FindHistory                                         | 4.4 (13)
//	POST Record/DOCUMENT _a=list     | Documents, DocumentsOf                              | 4.4.6
//	GET  Document _a=download        | Download                                            | 4.4.6
//
// Nothing is ever deleted or updated.
//
// # Quirks
//
//   - All values are texts, money has four decimals, keys are padded, dates have no time zone (1.3). Amounts with more
//     decimals than their currency has make the record a BadRecord.
//   - Errors come with HTTP status 200 (1.5). A refusal in a readable envelope is certain, also for a write; an answer
//     that can not be read after a write leaves the outcome unknown.
//   - There are no events. Changes are found by change stamp or by comparing snapshots; see changes.go for how paging
//     stays exact while records change.
//   - Applying a receipt does not necessarily touch the invoice's change stamp, so open balances are swept as well.
//   - Duplicate references are accepted by the server: whoever creates a receipt must look for it first.
//   - The two tables of a receipt are written by two calls and are not atomic.
//   - A customer belongs to a company by default only. Customers of every company are read; the company column of an
//     invoice decides whose invoice it is.
//
// # Not supported
//
// Deleting or reversing receipts, the audit change strategy, roles kept in CONTACTRELATION, and receipts through anything
// but record creation.
package q360
