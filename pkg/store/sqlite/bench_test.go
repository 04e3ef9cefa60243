package sqlite

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/arbridge/arbridge/pkg/store"
)

// typical is about as large as a sync record.
func typical(id string) store.Write {
	return record(id, `{"company":"us","kind":"invoice","source_id":"`+id+`","status":"synced","due_at":"2026-01-01T00:00:00.000000Z",`+
		`"updated_at":"2026-01-01T00:00:00.000000Z","portal_id":"123456","note":"`+strings.Repeat("x", 400)+`"}`)
}

// BenchmarkWriteSequential: one caller, so one durable commit per write.
func BenchmarkWriteSequential(b *testing.B) {
	s := mustOpen(b, temp(b))
	for i := 0; b.Loop(); i++ {
		mustWrite(b, s, typical(fmt.Sprint("us/invoice/", i)))
	}
}

// BenchmarkWrite32: 32 callers share commits.
func BenchmarkWrite32(b *testing.B) {
	s := mustOpen(b, temp(b))
	var n atomic.Int64
	b.SetParallelism(max(1, 32/runtime.GOMAXPROCS(0))) // per processor
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := s.Write(b.Context(), typical(fmt.Sprint("us/invoice/", n.Add(1)))); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

const stored = 10_000

func filled(b *testing.B) *Store {
	s := mustOpen(b, temp(b))
	for i := 0; i < stored; i += store.MaxBatch {
		var writes []store.Write
		for j := range store.MaxBatch {
			writes = append(writes, typical(fmt.Sprint("us/invoice/", i+j)))
		}
		mustWrite(b, s, writes...)
	}
	return s
}

// BenchmarkGet: point reads of one caller.
func BenchmarkGet(b *testing.B) {
	s := filled(b)
	for i := 0; b.Loop(); i++ {
		if _, err := s.Get(b.Context(), store.Records, fmt.Sprint("us/invoice/", i*7919%stored)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGetParallel: point reads of as many callers as there are processors.
func BenchmarkGetParallel(b *testing.B) {
	s := filled(b)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			if _, err := s.Get(b.Context(), store.Records, fmt.Sprint("us/invoice/", i*7919%stored)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkQuery100: pages of 100 of 10,000 documents with equal order values, by company and status.
func BenchmarkQuery100(b *testing.B) {
	s := filled(b)
	q := store.Query{
		Collection: store.Records, OrderBy: "updated_at", Desc: true, Limit: 100,
		Equal: []store.Equal{{Field: "company", Value: "us"}, {Field: "status", Value: "synced"}},
	}
	for b.Loop() {
		docs, err := s.Query(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		q.After = store.Position{}
		if len(docs) == q.Limit {
			q.After = store.Position{Value: "2026-01-01T00:00:00.000000Z", ID: docs[99].ID}
		}
	}
}
