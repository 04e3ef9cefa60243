package sandbox

// schema returns the tables of the site: the columns of the default mapping (q360-api 4.3), those of the data model
// (q360-api 2) and those that the business rules need (q360-api 5.3).
func schema() []*definition {
	all := append(partySchema(), invoiceSchema()...)
	all = append(all, ledgerSchema()...)
	all = append(all, logSchema()...)
	for _, d := range all {
		d.finish()
	}
	return append(all, invoiceView(all))
}

// invoiceView is one of the vendor's view families; views can be listed but never written (q360-api 1.4).
func invoiceView(all []*definition) *definition {
	view := &definition{name: "GRIDVIEW_INVOICE", viewOf: "INVOICE"}
	for _, d := range all {
		if d.name == view.viewOf {
			view.columns = d.columns
		}
	}
	view.finish()
	return view
}

func partySchema() []*definition {
	return []*definition{
		{name: "CUSTOMER", numbering: "C%05d", firstNo: 0, columns: []column{
			char("CUSTOMERNO", 10).key(), text("COMPANY", 60).must(), char("TYPE", 10), char("SUBTYPE", 10), char("STATUS", 10),
			text("ADDRESS1", 60), text("ADDRESS2", 60), text("CITY", 40), text("STATE", 20), text("ZIP", 15), char("COUNTRY", 3),
			text("PHONE", 25), text("PAYMENTTERMS", 20), amount("CREDITLIMIT"), amount("BALANCE"), amount("YTDSALES"),
			char("TAXDIST", 10), char("DEFCURRENCY", 3).ref("CURRENCY"), char("MASTERCUSTOMERNO", 10).ref("CUSTOMER"),
			char("SALESREP", 20), char("COMPANYNO", 2).ref("COMPANY"), char("INVOICESITENO", 10).ref("SITE"),
			char("CONTACTNO", 10).ref("CONTACT"), text("PAYMETHOD", 20), bit("CREDITHOLD"), moment("MODDATE")}},
		{name: "SITE", numbering: "S%05d", firstNo: 0, columns: []column{
			char("SITENO", 10).key(), char("CUSTOMERNO", 10).must().ref("CUSTOMER"), text("SITENAME", 60), text("ADDRESS", 60),
			text("CITY", 40), text("STATE", 20), text("ZIP", 15), char("COUNTRY", 3), text("PHONE", 25), text("CONTACT", 60),
			char("TAXDIST", 10), char("STATUS", 10), char("ZONE", 10), number("LATITUDE", 9, 6), number("LONGITUDE", 9, 6),
			char("BRANCH", 10), moment("MODDATE")}},
		{name: "CONTACT", numbering: "K%05d", firstNo: 0, columns: []column{
			char("CONTACTNO", 10).key(), char("CUSTOMERNO", 10).must().ref("CUSTOMER"), char("SITENO", 10).ref("SITE"),
			text("FIRSTNAME", 30), text("LASTNAME", 30), text("TITLE", 40), text("EMAIL", 100), text("PHONE", 25),
			text("MOBILE", 25), text("DEPARTMENT", 30), char("TYPE", 15), char("STATUS", 10), moment("MODDATE")}},
		{name: "SERVICECONTRACT", numbering: "SC-%04d", firstNo: 2000, columns: []column{
			char("CONTRACTNO", 10).key(), char("CUSTOMERNO", 10).must().ref("CUSTOMER"), char("SITENO", 10).ref("SITE"),
			text("TITLE", 80), date("STARTDATE"), date("ENDDATE"), date("RENEWALDATE"), char("STATUSCODE", 20), char("CONTYPE", 20),
			char("BILLINGMETHOD", 20), amount("MONTHLYTOTAL"), amount("TOTAL"), char("COVERAGENO", 10), char("SALESPERSON", 20),
			char("BRANCH", 10), moment("MODDATE")}},
	}
}

func invoiceSchema() []*definition {
	return []*definition{
		{name: "INVOICE", numbering: "%06d", firstNo: 104000, columns: []column{
			char("INVOICENO", 10).key(), char("CUSTOMERNO", 10).must().ref("CUSTOMER"), char("INVOICESITENO", 10).ref("SITE"),
			char("COMPANYNO", 2).must().ref("COMPANY"), char("CURRENCY", 3).must().ref("CURRENCY"), number("FXRATE", 12, 6),
			date("INVOICEDATE"), date("DUEDATE"), date("POSTDATE"), amount("INVAMOUNT"), amount("TAXAMOUNT"), amount("FREIGHT"),
			amount("RETENTION"), amount("WRITEOFFAMOUNT"), amount("PAIDAMOUNT"), date("PAIDDATE"), amount("BALANCE"),
			char("INVOICETYPE", 12), text("PAYMENTTERMS", 20), text("PAYMETHOD", 20),
			char("CONTRACTNO", 10).ref("SERVICECONTRACT"), char("PROJECTNO", 10), char("DISPATCHNO", 10), text("PONUM", 30),
			text("COMMENT", 1000), char("SALESPERSON", 20), char("TAXDIST", 10), flag("PRTID"), moment("MODDATE")}},
		{name: "INVOICEITEM", numbering: "%d", firstNo: 500000, columns: []column{
			integer("INVOICEITEMNO").key(), char("INVOICENO", 10).must().ref("INVOICE"), integer("SEQ"), text("MASTERNO", 30),
			text("DESCRIPTION", 4000), number("QTY", 14, 4), amount("PRICE"), amount("EXTENDEDPRICE"), amount("TAXAMOUNT"),
			char("ACCOUNTNO", 6).ref("GLACCOUNT"), moment("MODDATE")}},
		{name: "DOCUMENT", numbering: "D%05d", firstNo: 50000, columns: []column{
			char("DOCUMENTNO", 10).key(), text("LINKTYPE", 20), text("LINKNO", 20), text("FILENAME", 120), char("DOCTYPE", 10),
			integer("FILESIZE"), moment("MODDATE")}},
	}
}

func ledgerSchema() []*definition {
	return []*definition{
		{name: "GLACCOUNT", numbering: "%04d", firstNo: 9000, columns: []column{
			char("ACCOUNTNO", 6).key(), text("DESCRIPTION", 60), char("ACCTYPE", 10), flag("BANKFLAG"),
			char("CURRENCY", 3).ref("CURRENCY"), char("STATUS", 10), moment("MODDATE")}},
		{name: "COMPANY", numbering: "%02d", firstNo: 0, columns: []column{
			char("COMPANYNO", 2).key(), text("COMPANY", 60), char("DEFCURRENCY", 3).ref("CURRENCY"), char("CUSTOMERNO", 10),
			char("BANKACCOUNT", 6).ref("GLACCOUNT"), char("ARACCOUNT", 6).ref("GLACCOUNT"), char("SALESACCOUNT", 6).ref("GLACCOUNT"),
			char("WRITEOFFACCOUNT", 6).ref("GLACCOUNT"), char("FXACCOUNT", 6).ref("GLACCOUNT"), char("STATUS", 10), moment("MODDATE")}},
		{name: "CURRENCY", numbering: "X%02d", firstNo: 0, columns: []column{
			char("CURRENCY", 3).key(), text("DESCRIPTION", 40), text("SYMBOL", 5), char("STATUS", 10), moment("MODDATE")}},
		{name: "FXRATE", numbering: "%d", firstNo: 0, columns: []column{
			integer("FXRATENO").key(), char("CURRENCY", 3).must().ref("CURRENCY"), date("STARTDATE"), date("ENDDATE"),
			number("RATE", 12, 6).must()}},
		{name: "FISCALENDAR", numbering: "%d", firstNo: 0, columns: []column{
			integer("FISCALENDARNO").key(), char("COMPANYNO", 2).must().ref("COMPANY"), char("PERIOD", 7), date("STARTDATE").must(),
			date("ENDDATE").must(), char("STATUS", 10).must()}},
		{name: "CASHRECEIPT", numbering: "R%05d", firstNo: 20000, columns: []column{
			char("RECEIPTNO", 10).key(), char("COMPANYNO", 2).must().ref("COMPANY"), char("CUSTOMERNO", 10).must().ref("CUSTOMER"),
			date("RECEIPTDATE").must(), amount("AMOUNT").must(), char("CURRENCY", 3).must().ref("CURRENCY"), text("REFERENCE", 20),
			char("ACCOUNTNO", 6).must().ref("GLACCOUNT"), text("PAYMETHOD", 20), text("COMMENT", 1000), amount("UNAPPLIED"),
			char("STATUS", 10), char("BATCHNO", 10), char("USERID", 20), moment("MODDATE")}},
		{name: "CASHRECEIPTITEM", numbering: "%d", firstNo: 70000, columns: []column{
			integer("RECEIPTITEMNO").key(), char("RECEIPTNO", 10).must().ref("CASHRECEIPT"), char("INVOICENO", 10).ref("INVOICE"),
			amount("AMOUNT").must(), char("TYPE", 10), char("ACCOUNTNO", 6).ref("GLACCOUNT"), text("COMMENT", 255), moment("MODDATE")}},
		{name: "ARJOURNAL", numbering: "%d", firstNo: 0, columns: []column{
			integer("ARJOURNALNO").key(), char("COMPANYNO", 2), char("TYPE", 2), date("DATE"), char("ACCOUNTNO", 6), amount("AMOUNT"),
			char("CURRENCY", 3), char("CUSTOMERNO", 10), char("INVOICENO", 10), char("RECEIPTNO", 10), text("COMMENT", 255)}},
	}
}

func logSchema() []*definition {
	return []*definition{
		{name: "CONTACTHISTORY", numbering: "H%05d", firstNo: 90000, columns: []column{
			char("HISTID", 10).key(), char("TYPE", 12).must(), text("LINKTYPE", 20), text("LINKNO", 20),
			char("CUSTOMERNO", 10).ref("CUSTOMER"), char("CONTACTNO", 10).ref("CONTACT"), moment("DATE"), char("USERID", 20),
			text("COMMENT", 1000)}},
		{name: "AUDITLOG", numbering: "%d", firstNo: 0, columns: []column{
			integer("AUDITLOGNO").key(), char("TABLENAME", 30), text("LINKNO", 20), char("ACTION", 10), moment("DATE"),
			char("USERID", 20)}},
		{name: "USERID", numbering: "U%05d", firstNo: 0, columns: []column{
			char("USERID", 20).key(), text("NAME", 60), char("TYPE", 10), flag("ACTIVEFLAG"), flag("LOGINFLAG"), moment("MODDATE")}},
		{name: "CODE", numbering: "%d", firstNo: 0, columns: []column{
			integer("CODENO").key(), char("CODETYPE", 10).must(), text("CODE", 20).must(), text("DESCRIPTION", 60),
			char("STATUS", 10)}},
	}
}
