package settings

import "slices"

// declare binds every setting of a company to its field, in the order of the reference page.
func (c *Company) declare() []Setting {
	return scoped(ScopeCompany, c.company(), c.Customers.declare(), c.Contacts.declare(), c.Invoices.declare(),
		c.CreditNotes.declare(), c.autopay(), c.Documents.declare(), c.Qualify.declare(), c.Payments.declare(),
		c.Fees.declare(), c.Activity.declare(), c.Limits.declare(), c.Notify.declare())
}

func (c *Company) company() []Setting {
	return []Setting{
		boolean(&c.Enabled, "company.enabled", "Enabled",
			"The company takes part in the sync at all.").by(true),
		enum(&c.Mode, "company.mode", "Mode",
			"What the sync may do for the company.",
			Choice{"live", "Reads both sides and writes to both."},
			Choice{"sandbox", "Writes too, but every recipient stored in Invoiced is sandbox.email."},
			Choice{"read_only", "Plans and shows what it would do; writes nothing."},
			Choice{"paused", "Does nothing until it is changed."}).by("sandbox"),
		text(&c.Q360Company, "company.q360_company", "Q360 company",
			"Q360 company code. Documents of any other company are not this company's. Quote codes with leading zeros.").
			must().matching(namePattern, `a Q360 company code such as "01"`).like("01"),
		zone(&c.TimeZone, "company.time_zone", "Time zone",
			"Time zone of the calendar dates on both sides, such as the date of a receipt.").
			must().like("America/New_York"),
		currency(&c.Currency, "company.currency", "Currency",
			"Currency of documents that name none.").must().like("USD"),
		email(&c.SafeEmail, "sandbox.email", "Safe e-mail address",
			"The only recipient ever stored in Invoiced while the company is in sandbox mode. "+
				"Contacts and customers are created with it in place of their own addresses.").
			mustWhen("company.mode", "sandbox").like("ar-test@example.com"),
	}
}

func (c *Company) autopay() []Setting {
	rules := []Choice{
		{"off", "The portal collects nothing by itself."},
		{"contracts", "Invoices of a service contract are collected automatically."},
		{"all", "Every invoice is collected automatically."},
	}
	return []Setting{
		enum(&c.AutoPay, "autopay.rule", "AutoPay rule",
			"Which invoices Invoiced may collect by itself. Needs a payment source of the customer in the portal.",
			rules...).by("off").also(ScopeCompany).also(ScopeCustomer),
		dict(&c.AutoPayCustomers, "autopay.customers", "AutoPay of single customers",
			"Own AutoPay rule of single customers, by Q360 customer number.").
			by(map[string]string{}).among(rules...).
			matching("", "a map from customer number to off, contracts or all").
			keyed(namePattern, "a customer number").like(map[string]string{"10045": "all", "10078": "off"}),
	}
}

func (c *Customers) declare() []Setting {
	return []Setting{
		boolean(&c.Create, "customers.create", "Create customers",
			"Create customers that are missing in Invoiced. When false, their invoices wait with that reason.").by(true),
		boolean(&c.SyncAddress, "customers.sync_address", "Send addresses",
			"Send a customer's postal address at all.").by(true),
		enum(&c.AddressSource, "customers.address_source", "Address source",
			"Which address of Q360 is sent.",
			Choice{"billing", "The billing site's address; the main site's where there is none."},
			Choice{"main_site", "The main site's address."}).by("billing"),
		boolean(&c.UpdateAddress, "customers.update_address", "Keep addresses up to date",
			"Carry address changes in Q360 to customers that exist in Invoiced.").by(true),
		set(&c.UpdateFields, "customers.update_fields", "Other fields kept up to date",
			"Other customer fields kept up to date after creation. Fields that the portal owns are never overwritten.",
			Choice{"name", "The customer's name."},
			Choice{"terms", "The payment terms, through invoices.terms_map."},
			Choice{"phone", "The telephone number."}).by([]string{"name", "terms"}),
		enum(&c.Match, "customers.match", "Matching",
			"How a customer is found in Invoiced; never by its name.",
			Choice{"number", "By the customer number."},
			Choice{"number_then_metadata", "By the customer number, then by the ERP number in the metadata."}).by("number"),
		boolean(&c.Chase, "customers.chase", "Reminders",
			"Let Invoiced send reminders to the customers that are created.").by(true),
	}
}

func (c *Contacts) declare() []Setting {
	roles := []Choice{
		{"AR", "Accounts receivable contacts."},
		{"AP", "Accounts payable contacts."},
		{"COLLECTIONS", "Collections contacts."},
	}
	return []Setting{
		boolean(&c.Sync, "contacts.sync", "Send contacts",
			"Send the contacts of customers.").by(true),
		set(&c.Roles, "contacts.roles", "Roles",
			"Which contacts are sent, by their role in Q360.",
			append(slices.Clone(roles), Choice{"ALL", "Every contact, whatever its role."})...).
			by([]string{"AP"}),
		enum(&c.PrimaryRole, "contacts.primary_role", "Primary role",
			"Role of the contact that becomes primary in Invoiced. It must be one of contacts.roles unless that has ALL.",
			roles...).by("AP"),
		boolean(&c.Update, "contacts.update", "Keep contacts up to date",
			"Carry contact changes in Q360 to contacts that exist in Invoiced.").by(true),
		boolean(&c.Deactivate, "contacts.deactivate", "Remove inactive contacts",
			"Remove contacts that arbridge created once they are inactive in Q360.").by(false),
	}
}
