// Package pkg is empty; this is a tour of the packages below it for newcomers, bottom-up. Read infra/docs/architecture.md
// first: it says what the parts do together. Each package comment says what its package promises.
//
// # Values and decisions
//
// These packages are pure: no I/O, no clock, no randomness, no logging.
//
//   - money: exact amounts with their currency, and their allocation without losing a cent.
//   - billing: the canonical records, what an ERP has and what a portal has, and nothing of how either writes them.
//   - settings: every setting, declared once. settings/gen makes the reference page and the schema from the declarations.
//   - plan: every decision, a function from values to a Plan of verdict, steps and reasons. Read its tests to learn the
//     rules.
//
// # What surrounds them
//
//   - clock: the one source of time, so that tests can move it.
//   - logging: the structured logger, which keeps secrets and e-mail addresses out of every line.
//   - config: reads the configuration file and reports all its problems at once.
//
// # Contracts towards the platform
//
// Each contract has one implementation for Google Cloud and one embedded, and a suite that both pass.
//
//   - store: small documents with conditions on writes and a fixed list of query shapes; firestore, sqlite; storetest.
//   - bus: messages that wake workers up, pushed to HTTP handlers; pubsub, queue; bustest.
//   - blob: large bytes; gcs, files; blobtest.
//   - secret: credentials by name; secretmanager, local; secrettest.
//   - emulator: starts Google's emulators for tests.
//
// # Vendors
//
//   - connector: the contracts ERP and Portal, and the error classes. The engine decides by the class of an error alone.
//   - httpx: the one HTTP client. It repeats reads and never a write.
//   - connector/q360, connector/invoiced: one folder per vendor, of the same shape: a client for the wire, the translation
//     to billing, and a sandbox. Package comments list the operations in use and the vendor's quirks.
//   - sandbox: the kit of the sandboxes: durable state, faults, the journal of calls.
//
// # The engine
//
//   - record: our own record of each thing kept in step, written to be read by a person.
//   - journal: every effect on a vendor under its natural key: intended, started, then done, refused or unknown.
//   - engine: load, plan, journal, apply, record. It knows contracts only. Begin with Engine.Sync, then perform in
//     effect.go, which is why nothing is posted twice. engine/enginetest holds the world its tests live in.
//   - schedule: jobs that are due by the calendar, once per due time.
//   - reconcile: both sides compared by company, currency and month, every difference explained.
//   - issue: one problem per cause, with the money at stake and the remedy. digest: the daily e-mail of it.
//   - retention: what is removed after its days.
//
// # The edge
//
//   - server: the guards around every HTTP handler, and an orderly end.
//   - pushauth: checks the token of a push.
//   - meter: what is counted, by name. gauge: how fresh and how long what waits is. telemetry: sends both, and traces.
//
// # The rules
//
//   - archtest: what may import what, what is pure, how large things may get. It fails the build, and says what to do.
//   - infra: holds the plans of Terraform and the build file against what the code needs.
//   - simulation: the whole, in virtual time from one seed, with faults at every boundary.
//
// Above pkg are the functions: poll, sync, webhook and receipt are one thin handler each; platform builds the parts they
// run on; host serves all of them in one process; demo is the business that shows it; localcloud runs the services on Google's
// emulators; arbridge is the command.
package pkg
