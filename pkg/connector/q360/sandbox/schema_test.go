package sandbox

import (
	"strings"
	"testing"
)

// mapped lists the tables, keys and columns that the default mapping names (q360-api 4.3) and the ones beside them that
// sites map instead of the fallbacks.
func mapped() map[string][2]string {
	return map[string][2]string{
		"INVOICE": {"INVOICENO", `INVOICENO CUSTOMERNO INVOICESITENO COMPANYNO CURRENCY INVOICEDATE DUEDATE POSTDATE INVAMOUNT TAXAMOUNT
			FREIGHT PAIDAMOUNT BALANCE INVOICETYPE PAYMENTTERMS PAYMETHOD CONTRACTNO PROJECTNO DISPATCHNO PONUM COMMENT MODDATE PRTID
			RETENTION FXRATE PAIDDATE SALESPERSON`},
		"INVOICEITEM": {"INVOICEITEMNO", "INVOICEITEMNO INVOICENO SEQ MASTERNO DESCRIPTION QTY PRICE EXTENDEDPRICE TAXAMOUNT ACCOUNTNO"},
		"CUSTOMER": {"CUSTOMERNO", `CUSTOMERNO COMPANY TYPE STATUS ADDRESS1 ADDRESS2 CITY STATE ZIP COUNTRY PHONE PAYMENTTERMS DEFCURRENCY
			COMPANYNO INVOICESITENO CONTACTNO PAYMETHOD BALANCE MASTERCUSTOMERNO MODDATE SUBTYPE CREDITLIMIT YTDSALES TAXDIST SALESREP`},
		"SITE":    {"SITENO", "SITENO CUSTOMERNO SITENAME ADDRESS CITY STATE ZIP COUNTRY PHONE STATUS CONTACT TAXDIST ZONE LATITUDE LONGITUDE"},
		"CONTACT": {"CONTACTNO", `CONTACTNO CUSTOMERNO FIRSTNAME LASTNAME TITLE EMAIL PHONE MOBILE SITENO STATUS TYPE DEPARTMENT`},
		"SERVICECONTRACT": {"CONTRACTNO", `CONTRACTNO CUSTOMERNO TITLE STATUSCODE CONTYPE STARTDATE ENDDATE SITENO RENEWALDATE BILLINGMETHOD
			MONTHLYTOTAL TOTAL COVERAGENO SALESPERSON BRANCH`},
		"DOCUMENT":        {"DOCUMENTNO", "DOCUMENTNO LINKTYPE LINKNO FILENAME DOCTYPE FILESIZE MODDATE"},
		"GLACCOUNT":       {"ACCOUNTNO", "ACCOUNTNO DESCRIPTION ACCTYPE BANKFLAG STATUS"},
		"COMPANY":         {"COMPANYNO", "COMPANYNO COMPANY DEFCURRENCY"},
		"CASHRECEIPT":     {"RECEIPTNO", "RECEIPTNO COMPANYNO CUSTOMERNO RECEIPTDATE AMOUNT CURRENCY REFERENCE ACCOUNTNO PAYMETHOD COMMENT"},
		"CASHRECEIPTITEM": {"RECEIPTITEMNO", "RECEIPTITEMNO RECEIPTNO INVOICENO AMOUNT ACCOUNTNO TYPE COMMENT"},
		"CONTACTHISTORY":  {"HISTID", "HISTID TYPE LINKTYPE LINKNO CUSTOMERNO DATE USERID COMMENT"},
		"AUDITLOG":        {"AUDITLOGNO", "AUDITLOGNO TABLENAME LINKNO ACTION DATE"},
		"USERID":          {"USERID", "USERID ACTIVEFLAG LOGINFLAG TYPE"},
		"ARJOURNAL":       {"ARJOURNALNO", "ARJOURNALNO COMPANYNO ACCOUNTNO AMOUNT"},
		"CURRENCY":        {"CURRENCY", "CURRENCY"},
		"FXRATE":          {"FXRATENO", "CURRENCY STARTDATE ENDDATE RATE"},
		"FISCALENDAR":     {"FISCALENDARNO", "COMPANYNO PERIOD STARTDATE ENDDATE STATUS"},
		"CODE":            {"CODENO", "CODETYPE CODE"},
	}
}

func TestSchemaHasTheMappedColumns(t *testing.T) {
	s := newSite(t, Quirks{})
	for table, m := range mapped() {
		keys := map[string]string{}
		for _, r := range s.do("GET", "/api/DataDict?_a=list&tablename="+table, nil).Payload.Result {
			keys[r["field_name"].(string)] = r["p_key"].(string)
		}
		for _, column := range strings.Fields(m[1]) {
			if keys[column] == "" {
				t.Errorf("%s.%s is missing", table, column)
			}
		}
		for column, key := range keys {
			if (key == "T") != (column == m[0]) {
				t.Errorf("%s.%s: p_key %s", table, column, key)
			}
		}
	}
	if len(mapped()) != len(s.tables) {
		t.Errorf("%d tables, %d expected", len(s.tables), len(mapped()))
	}
}

// TestSchemaLengths checks what the connector's start-up check measures: a reference of 20 characters, comments of 1000, and
// the longest history code must fit.
func TestSchemaLengths(t *testing.T) {
	s := newSite(t, Quirks{})
	for name, least := range map[string]int{"CASHRECEIPT.REFERENCE": 20, "CONTACTHISTORY.TYPE": len("RP-COMMENTED"), "CONTACTHISTORY.COMMENT": 1000} {
		table, column, _ := strings.Cut(name, ".")
		d := s.tables[table].def
		if got := d.columns[d.mustAt(column)].length; got < least {
			t.Errorf("%s holds %d characters, want %d", name, got, least)
		}
	}
}

func TestSchemaReferencesExist(t *testing.T) {
	s := newSite(t, Quirks{})
	for name, tab := range s.tables {
		stamps, keys := 0, 0
		for _, c := range tab.def.columns {
			if c.related != "" && s.tables[c.related] == nil {
				t.Errorf("%s.%s refers to the unknown table %s", name, c.name, c.related)
			}
			if c.name == "MODDATE" {
				stamps++
			}
			if c.isKey {
				keys++
			}
		}
		if keys != 1 || (tab.def.stamp >= 0) != (stamps == 1) {
			t.Errorf("%s: %d keys, %d stamps", name, keys, stamps)
		}
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		column column
		in     any
		want   string // as answered; "NULL" for nothing, "refused"
	}{
		{char("X", 4), "ab", "ab  "},
		{char("X", 4), "ab      ", "ab  "},
		{char("X", 4), "", "    "},
		{char("X", 4), "abcde", "refused"},
		{char("X", 4), nil, "NULL"},
		{char("X", 4), true, "1   "},
		{char("X", 4), "äöü€", "äöü€"},
		{text("X", 4), "ab", "ab"},
		{text("X", 4), []any{}, "refused"},
		{amount("X"), "1", "1.0000"},
		{amount("X"), "-0.00005", "-0.0001"},
		{amount("X"), " 1250.5 ", "1250.5000"},
		{amount("X"), "1e3", "1000.0000"},
		{amount("X"), "", "NULL"},
		{amount("X"), "$5", "refused"},
		{amount("X"), "0x10", "refused"},
		{amount("X"), "922337203685478", "refused"},
		{integer("X"), "12", "12"},
		{integer("X"), "12.5", "refused"},
		{integer("X"), "2147483648", "refused"},
		{number("X", 6, 2), "1234.565", "1234.57"},
		{number("X", 6, 2), "10000", "refused"},
		{bit("X"), "true", "1"},
		{bit("X"), false, "0"},
		{bit("X"), "Y", "refused"},
		{date("X"), "2026-02-28", "2026-02-28 00:00:00.000"},
		{date("X"), "2026-02-29", "refused"},
		{date("X"), "1752-12-31", "refused"},
		{date("X"), "02/28/2026", "refused"},
		{date("X"), "   ", "NULL"},
		{moment("X"), "2026-02-28 23:59:59.123", "2026-02-28 23:59:59.123"},
		{moment("X"), "2026-02-28 23:59:59.1234", "refused"},
		{moment("X"), "2026-02-28T23:59:59Z", "refused"},
	} {
		v, err := c.column.parse(c.in, false)
		got := "refused"
		if err == nil {
			got = "NULL"
			if v != nil {
				got = c.column.format(v, false)
			}
		}
		if got != c.want {
			t.Errorf("%s(%d,%d) %v: %q, want %q", c.column.sqlType, c.column.length, c.column.decimals, c.in, got, c.want)
		}
		if err == nil && v != nil { // what is stored must read back as it is
			again, err := c.column.parse(c.column.format(v, true), true)
			if err != nil || compareCells(v, again) != 0 {
				t.Errorf("%s %v: read back as %v (%v)", c.column.sqlType, c.in, again, err)
			}
		}
	}
}
