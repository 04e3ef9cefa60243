// Package simulation runs the whole of arbridge — plan, engine, journal, connectors and functions as they are — against
// both vendors' sandboxes in one process, from one seed: virtual time, several worker processes whose steps are interleaved
// at every boundary where something leaves a process, and faults at each of these boundaries. After every step and at rest
// it checks what must always hold, to the cent.
//
// The same seed gives the same run, byte for byte, so that a failure can be replayed and cut down.
package simulation
