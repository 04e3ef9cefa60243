package firestore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/arbridge/arbridge/pkg/store"
)

// Query implements store.Store. The order is that of UTF-8 bytes, with ids in the same direction as OrderBy.
func (s *Store) Query(ctx context.Context, q store.Query) ([]store.Doc, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	req := &firestorepb.RunQueryRequest{
		Parent:    s.documents,
		QueryType: &firestorepb.RunQueryRequest_StructuredQuery{StructuredQuery: structured(q)},
	}
	var docs []store.Doc
	err := s.retry(ctx, func(ctx context.Context) error {
		docs = nil
		stream, err := s.client.RunQuery(ctx, req)
		if err != nil {
			return err
		}
		for {
			r, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if r.GetDocument() == nil {
				continue // a sign of progress
			}
			d, err := decode(r.GetDocument())
			if err != nil {
				return fmt.Errorf("document %s: %w", r.GetDocument().GetName(), err)
			}
			docs = append(docs, d)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("query of %s: %w", q.Collection, err)
	}
	return docs, nil
}

// structured makes the protocol's form of a valid query.
func structured(q store.Query) *firestorepb.StructuredQuery {
	const (
		equal   = firestorepb.StructuredQuery_FieldFilter_EQUAL
		atLeast = firestorepb.StructuredQuery_FieldFilter_GREATER_THAN_OR_EQUAL
		atMost  = firestorepb.StructuredQuery_FieldFilter_LESS_THAN_OR_EQUAL
	)
	var filters []*firestorepb.StructuredQuery_Filter
	for _, e := range q.Equal {
		filters = append(filters, compare(e.Field, equal, e.Value))
	}
	// A range matches values of its bound's type only, so even without a bound this leaves the texts.
	filters = append(filters, compare(q.OrderBy, atLeast, q.From))
	if q.UpTo != "" {
		filters = append(filters, compare(q.OrderBy, atMost, q.UpTo))
	}
	direction := firestorepb.StructuredQuery_ASCENDING
	if q.Desc {
		direction = firestorepb.StructuredQuery_DESCENDING
	}
	sq := &firestorepb.StructuredQuery{
		From: []*firestorepb.StructuredQuery_CollectionSelector{{CollectionId: string(q.Collection)}},
		Where: &firestorepb.StructuredQuery_Filter{FilterType: &firestorepb.StructuredQuery_Filter_CompositeFilter{
			CompositeFilter: &firestorepb.StructuredQuery_CompositeFilter{
				Op: firestorepb.StructuredQuery_CompositeFilter_AND, Filters: filters,
			},
		}},
		OrderBy: []*firestorepb.StructuredQuery_Order{
			{Field: reference(q.OrderBy), Direction: direction}, {Field: reference(fieldID), Direction: direction},
		},
		Limit: wrapperspb.Int32(int32(q.Limit)),
	}
	if q.After != (store.Position{}) {
		sq.StartAt = &firestorepb.Cursor{Values: []*firestorepb.Value{text(q.After.Value), text(q.After.ID)}} // Before is false
	}
	return sq
}

func compare(field string, op firestorepb.StructuredQuery_FieldFilter_Operator, bound string) *firestorepb.StructuredQuery_Filter {
	return &firestorepb.StructuredQuery_Filter{FilterType: &firestorepb.StructuredQuery_Filter_FieldFilter{
		FieldFilter: &firestorepb.StructuredQuery_FieldFilter{Field: reference(field), Op: op, Value: text(bound)},
	}}
}

func reference(field string) *firestorepb.StructuredQuery_FieldReference {
	return &firestorepb.StructuredQuery_FieldReference{FieldPath: field}
}
