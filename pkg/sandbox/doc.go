// Package sandbox is the kit that the vendor sandboxes are built from: a durable log of the vendor's state, fault
// injection, a journal of the calls received, and a guard for the control interface.
//
// A vendor sandbox is a server that behaves as the vendor does, strictness and nastiness included. Its state outlives a
// kill of the process, as a vendor's state would, so that a run can be stopped at any moment and continued.
package sandbox
