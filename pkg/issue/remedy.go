package issue

import (
	"time"

	"github.com/arbridge/arbridge/pkg/plan"
)

// remedy says a cause in words and what to do about it.
type remedy struct {
	title    string
	fix      string
	severity Severity
	wait     time.Duration // how long a record may wait for this before it is an issue; 0 is at once
}

const day = 24 * time.Hour

// unnamed is the remedy of what the tables do not know.
var unnamed = remedy{title: "Records need a decision", severity: Normal, wait: 7 * day,
	fix: "Look at one with arbridge show NUMBER: its reason says what happened. Mend it, then arbridge sync NUMBER; or leave it alone with arbridge ignore NUMBER."}

// done ends the remedy of what is put right in the ERP, where arbridge can not see it.
const done = " Then close it with arbridge ignore NUMBER --reason TEXT."

// remedies are the causes among the records, by reason code.
var remedies = map[plan.Code]remedy{
	// Documents
	plan.BadSource:         {title: "The ERP's record can not be used", severity: Normal, fix: "Correct in the ERP what the reason names; it is read again when it changes."},
	plan.NumberTaken:       {title: "A number is taken in the portal", severity: Normal, fix: "Renumber or remove the other one in the portal, then arbridge sync NUMBER."},
	plan.SeveralWithNumber: {title: "The portal has a number more than once", severity: Normal, fix: "Keep one of them in the portal and remove the others, then arbridge sync NUMBER."},
	plan.SeveralTagged:     {title: "Several portal customers claim one ERP number", severity: Normal, fix: "Remove the ERP number from the metadata of all but one of them in the portal, then arbridge sync NUMBER."},
	plan.PortalDiffers:     {title: "The portal's total is not the ERP's", severity: High, fix: "Compare both documents with arbridge show NUMBER. Correct the one in the portal, or delete it and make it again there under its number, then arbridge sync NUMBER."},
	plan.ChangedWhenPaid:   {title: "Invoices changed in the ERP after they were paid in part", severity: High, fix: "Decide who is right: credit or bill the difference in the ERP, or correct the invoice in the portal." + done},
	plan.UpdatesOff:        {title: "Invoices changed in the ERP, but updates are off", severity: Normal, fix: "Set invoices.update to unpaid_only, or correct them in the portal by hand." + done},
	plan.VoidedInPortal:    {title: "Documents were voided in the portal", severity: Normal, fix: "Void them in the ERP too, or delete them in the portal, make them again there under their number and arbridge sync NUMBER." + done},
	plan.GoneInPortal:      {title: "Records were deleted or merged in the portal", severity: Normal, fix: "Void the document or close the customer in the ERP too, or make it again in the portal under its number and arbridge sync NUMBER." + done},
	plan.KindChanged:       {title: "Documents changed their sign after they were sent", severity: Normal, fix: "Void the document in the portal, then arbridge sync NUMBER."},
	plan.NoLongerPosted:    {title: "Documents are no longer posted in the ERP", severity: Normal, fix: "Post them again in the ERP, or void them in the portal." + done},
	plan.MovedCompany:      {title: "Documents moved to another company of the ERP", severity: Normal, fix: "Void them in this company's portal account; the other company sends its own." + done},
	plan.GoneInERP:         {title: "Documents vanished from the ERP", severity: Normal, fix: "Void them in the portal, or set invoices.gone to void_if_unpaid and arbridge sync NUMBER." + done},
	plan.GoneWhenPaid:      {title: "Documents vanished from the ERP after they were paid", severity: High, fix: "Find out in the ERP where the document went; the money in the portal belongs to it." + done},
	plan.GoneDraft:         {title: "Drafts of documents that vanished from the ERP", severity: Low, fix: "Delete the draft in the portal." + done},
	plan.CustomerDiffers:   {title: "Documents moved to another customer in the ERP", severity: High, fix: "Delete the document in the portal, where its customer can not be changed, make it again there under its number for the right one, then arbridge sync NUMBER."},
	plan.ClosedInPortal:    {title: "Documents changed in the ERP after they were closed in the portal", severity: Normal, fix: "Reopen the document in the portal and arbridge sync NUMBER, or undo the change in the ERP." + done},
	plan.LateFees:          {title: "Documents changed in the ERP, but the portal added late fees", severity: Normal, fix: "Correct the document in the portal by hand, or remove its late fees there and arbridge sync NUMBER." + done},
	plan.CustomerMissing:   {title: "Customers can not be read in the ERP", severity: Normal, wait: day, fix: "Restore the customer in the ERP, or let the credentials read it."},
	plan.CustomerNotMade:   {title: "Customers are missing in the portal and creating them is off", severity: Normal, fix: "Create them in the portal under their ERP number, or set customers.create to true."},
	plan.VendorRefused:     {title: "A write was refused", severity: High, fix: "Read the refusal with arbridge show NUMBER, correct what it names, then arbridge sync NUMBER."},

	// Files
	plan.FileMissing:    {title: "The ERP has no PDF", severity: Low, wait: 90 * day, fix: "Attach the PDF in the ERP."},
	plan.FileEmpty:      {title: "The ERP's PDF is empty", severity: Normal, wait: day, fix: "Replace the file in the ERP; it is looked at again."},
	plan.FileTooLarge:   {title: "The ERP's PDF is too large", severity: Normal, wait: day, fix: "Replace the file in the ERP by a smaller one, or raise documents.max_mib."},
	plan.FileNoPDF:      {title: "The ERP's file is no PDF", severity: Normal, wait: day, fix: "Replace the file in the ERP by a PDF; it is looked at again."},
	plan.FileUnreadable: {title: "The ERP's PDF can not be read", severity: Normal, wait: day, fix: "Open the file in the ERP; if it opens there, check the rights of the credentials on documents."},
	plan.FileOverdue:    {title: "No PDF came in time", severity: Normal, fix: "Attach the PDF in the ERP and arbridge sync NUMBER, or set documents.required to false."},
	plan.WaitsForFile:   {title: "Invoices wait long for their PDF", severity: Normal, wait: 14 * day, fix: "Attach the PDF in the ERP, or set documents.required to false."},

	// Payments
	plan.SumsDiffer:        {title: "Payments whose parts do not add up", severity: High, fix: "Look at the payment in the portal and key its receipt in by hand." + done},
	plan.UnknownPart:       {title: "Payments with a part that arbridge does not know", severity: High, fix: "Look at the payment in the portal and key its receipt in by hand." + done},
	plan.UnknownInvoice:    {title: "Payments of invoices that arbridge did not sync", severity: High, fix: "Bring the invoice into the sync (arbridge sync NUMBER), or key the receipt in by hand." + done},
	plan.NoMethod:          {title: "No ERP payment method for a kind of payment", severity: High, fix: "Add the portal's method to payments.methods_map; the payments go on by themselves."},
	plan.NoGLAccount:       {title: "No bank GL account for a currency", severity: High, fix: "Add the currency to payments.gl_accounts; what waits goes on by itself."},
	plan.Overpayment:       {title: "Payments of more than is owed", severity: High, fix: "Check the invoice's balance in the ERP; then set payments.overpayment to on_account, or key the receipt in by hand under its reference."},
	plan.CurrencyDiffers:   {title: "Payments in another currency than their invoice", severity: High, fix: "Correct the currency of the invoice in the portal or in the ERP, then arbridge sync NUMBER."},
	plan.InvoiceUnposted:   {title: "Payments of invoices that are not posted", severity: High, fix: "Post the invoice in the ERP, or restore it if it was deleted there; the payment goes on by itself."},
	plan.UnknownPayer:      {title: "Payments on account of a customer that arbridge does not know", severity: High, fix: "Apply the payment to invoices in the portal, or key the receipt in by hand." + done},
	plan.OtherCompany:      {title: "Payments of invoices of a company that is not configured", severity: High, fix: "Configure that company, or key the receipt in by hand." + done},
	plan.HeldForEntry:      {title: "Receipts wait to be keyed in by hand", severity: High, fix: "Key them in under the reference that arbridge show NUMBER names; they are found by it."},
	plan.PossibleDouble:    {title: "Payments may have been keyed in by hand already", severity: High, fix: "Compare with the receipt that the reason names: if it is the same money, give it the reference of the payment or arbridge ignore NUMBER; if not, key the receipt in under its reference."},
	plan.ReceiptRefused:    {title: "The ERP refuses receipts", severity: High, fix: "Correct in the ERP what the refusal names. It is tried again every six hours, or at once with arbridge sync NUMBER."},
	plan.ReceiptMismatch:   {title: "Receipts in the ERP are not what was sent", severity: High, fix: "Correct the receipt in the ERP, then arbridge sync NUMBER."},
	plan.BalanceDiffers:    {title: "Invoices whose balance is not as expected after a receipt", severity: High, fix: "Compare the invoice with its receipts in the ERP: somebody may have posted to it at the same moment." + done},
	plan.NotApplied:        {title: "Receipts are not applied in the ERP", severity: High, fix: "Post the receipt in the ERP; if it is posted there, correct receipts.applied_when in the mapping."},
	plan.AppliedLater:      {title: "Receipts wait long for the ERP to post them", severity: Normal, wait: 7 * day, fix: "Post the receipt in the ERP."},
	plan.BadPayment:        {title: "Payments can not be read exactly in the portal", severity: High, fix: "Correct in the portal what the reason names; the payment is read again by itself."},
	plan.BadEvent:          {title: "Events can not be read exactly in the portal's list", severity: Normal, fix: "Look in the portal at what the event tells; key in what is missing." + done},
	plan.ReceiptAttempts:   {title: "Receipts could not be posted", severity: High, fix: "Look in the ERP whether the receipt is there under its reference: key it in if not, then arbridge sync NUMBER."},
	plan.ClosedPeriod:      {title: "Receipts belong into a closed period", severity: High, fix: "Open the period in the ERP, key the receipt in under its reference, or set payments.closed_period to next_open_day."},
	plan.Refunded:          {title: "Payments were refunded in part after they were posted", severity: High, fix: "Book the refund in the ERP." + done},
	plan.Disputed:          {title: "Payments are disputed by their payer", severity: High, fix: "Wait for the decision; reverse the receipt in the ERP if the payer wins." + done},
	plan.ReversedAfter:     {title: "Payments were returned after they were posted", severity: High, fix: "Reverse the receipt in the ERP." + done},
	plan.RefundedWhole:     {title: "Payments were refunded in full after they were posted", severity: High, fix: "Reverse the receipt in the ERP, or book the refund there." + done},
	plan.RefundedBefore:    {title: "Payments were refunded in full before they were posted", severity: Normal, fix: "Void the payment in the portal if its invoices are to be open again." + done},
	plan.ChangedWhenPosted: {title: "Payments were applied anew after they were posted", severity: High, fix: "Move the money in the ERP as the portal has it now." + done},
	plan.PaymentsOff:       {title: "Payments are switched off halfway through a payment", severity: High, fix: "Set payments.mode to charged or all, or key the missing receipts in by hand." + done},
	plan.PaymentPending:    {title: "Payments are pending for long", severity: Low, wait: 10 * day, fix: "Ask the portal's payment processor; the payment is posted when it settles."},
	plan.PaymentInFlight:   {title: "Changes wait long for a pending payment", severity: Low, wait: 10 * day, fix: "Ask the portal's payment processor; the document is looked at again when the payment has settled."},

	// What is waited for
	plan.Credentials:      {title: "A vendor refuses the credentials", severity: High, fix: "Put valid credentials into the secret that the configuration names; they are read again within minutes."},
	plan.RightMissing:     {title: "A right is missing at a vendor", severity: High, fix: "Grant the right that the reason names to the credentials of arbridge."},
	plan.OutcomeUnknown:   {title: "The answer to a write is lost and can not be looked up", severity: High, wait: time.Hour, fix: "See with arbridge status whether the vendor answers. If it does, look there for what was written and compare with arbridge show NUMBER."},
	plan.VendorDown:       {title: "A vendor has not been available for hours", severity: High, wait: time.Hour, fix: "Check the vendor's status page and the address in the configuration; work goes on by itself."},
	plan.InternalError:    {title: "arbridge can not finish records", severity: High, fix: "Report the error that arbridge show NUMBER names; the records are tried again."},
	plan.WaitsForCustomer: {title: "Documents wait long for their customer", severity: Normal, wait: day, fix: "Look at the customer with arbridge show: its reason says what is to be mended."},
	plan.WaitsForInvoice:  {title: "Files wait long for their invoice", severity: Low, wait: 14 * day, fix: "Look at the invoice with arbridge show: its reason says what is to be mended."},
	plan.CreditWaits:      {title: "Credits wait long for their credit note", severity: Normal, wait: 2 * day, fix: "Look at the credit note with arbridge show: its reason says what is to be mended."},
	plan.GoneChecking:     {title: "Vanished documents are being checked for long", severity: Low, wait: 3 * day, fix: "See with arbridge status whether the ERP answers; the documents are voided once it confirms."},
	plan.MailWaits:        {title: "Invoice e-mails wait long", severity: Normal, wait: day, fix: "Look at one with arbridge show: its reason says what the portal answers."},
	plan.FlowPaused:       {title: "A pause lasts long", severity: Low, wait: 7 * day, fix: "Let it go on with arbridge resume; arbridge status says who paused it."},
	plan.ReadOnly:         {title: "Records wait because the company is read-only", severity: Low, wait: 7 * day, fix: "Set company.mode to live or sandbox, or arbridge resume if an operator made it read-only."},
}

// companyRemedies are the causes of a whole company.
var companyRemedies = map[string]remedy{
	CausePoll:      {title: "The company is not polled", severity: High, fix: "Mend what the message names: mapping, rights, credentials or the ERP itself. The next poll tries again."},
	CauseERP:       {title: "The ERP does not answer and is not called", severity: High, fix: "Check that the ERP is up and its address reachable. It is tried again by itself."},
	CausePortal:    {title: "The portal does not answer and is not called", severity: High, fix: "Check the portal's status page. It is tried again by itself."},
	CauseEvents:    {title: "Events of the portal could not be used", severity: Normal, fix: "Look at the reasons with arbridge issues show; after mending them arbridge replay EVENT. An event counts for thirty days."},
	CauseWebhooks:  {title: "The portal sends no webhooks", severity: Normal, fix: "Check the webhook's address and secret in the portal's developer settings. Until then events are found later, by asking."},
	CauseReconcile: {title: "The reconciliation found differences", severity: High, fix: "List them with arbridge reconcile and mend each on the side that is wrong; the next reconciliation compares again."},
}
