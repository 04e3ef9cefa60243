// Package enginetest holds in-memory stand-ins for everything the engine talks to: an ERP and a portal that keep their
// vendors' rules in small, a store, a bus and a clock that stands still. Faults and crashes happen where a test says, at
// every call that leaves the process. It is for tests only.
package enginetest
