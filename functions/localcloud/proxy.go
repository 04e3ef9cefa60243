package localcloud

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// frame is a message as it travels.
type frame struct{ data []byte }

// asIs hands frames on without reading them.
type asIs struct{}

func (asIs) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return nil, errors.New("only frames pass")
	}
	return mem.BufferSlice{mem.SliceBuffer(f.data)}, nil
}

func (asIs) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return errors.New("only frames pass")
	}
	f.data = data.Materialize()
	return nil
}

func (asIs) Name() string { return "proto" }

// observer sees the messages of a call: its method, without the service, and whether it is an answer.
type observer func(method string, answer bool, data []byte)

// proxy serves a gRPC service by handing every call on to a backend, telling see about it.
func (c *Cloud) proxy(backend string, see observer) string {
	c.t.Helper()
	conn, err := grpc.NewClient(backend, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	return listen(c.t, grpc.NewServer(grpc.ForceServerCodecV2(asIs{}), grpc.UnknownServiceHandler(func(_ any, in grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(in)
		md, _ := metadata.FromIncomingContext(in.Context())
		ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(in.Context(), md))
		defer cancel()
		out, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodecV2(asIs{}))
		if err != nil {
			return err
		}
		short := method[strings.LastIndex(method, "/")+1:]
		go upstream(in, out, func(data []byte) { see(short, false, data) })
		return downstream(in, out, func(data []byte) { see(short, true, data) })
	})))
}

func upstream(in grpc.ServerStream, out grpc.ClientStream, see func([]byte)) {
	for {
		var f frame
		if err := in.RecvMsg(&f); err != nil {
			_ = out.CloseSend() // the answer tells
			return
		}
		see(f.data)
		if out.SendMsg(&f) != nil {
			return // and so it does here
		}
	}
}

func downstream(in grpc.ServerStream, out grpc.ClientStream, see func([]byte)) error {
	header, err := out.Header()
	if err != nil {
		return err
	}
	if err := in.SendHeader(header); err != nil {
		return err
	}
	for {
		var f frame
		if err := out.RecvMsg(&f); err != nil {
			in.SetTrailer(out.Trailer())
			if errors.Is(err, io.EOF) {
				return nil
			}
			return status.Convert(err).Err()
		}
		see(f.data)
		if err := in.SendMsg(&f); err != nil {
			return status.Error(codes.Canceled, err.Error())
		}
	}
}

// Operations are what Google Cloud bills, counted where the services are called.
type Operations struct {
	mu sync.Mutex
	Counts
}

// Counts are numbers of operations. Bytes are those of messages, at least 1,000 a request (gcp-go-stack 5.1).
type Counts struct {
	Reads, Writes, Deletes            int64 // documents of Firestore
	Published, PublishedBytes         int64
	Delivered, DeliveredBytes         int64
	Requests, CPUMillis, ServedMillis int64 // of the services
	Ticks                             int64 // for all companies
}

// Snapshot is what was counted so far.
func (o *Operations) Snapshot() Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Counts
}

func (o *Operations) add(change func(*Counts)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.Counts)
}

// Sub is what was counted since.
func (c Counts) Sub(since Counts) Counts {
	return Counts{
		c.Reads - since.Reads, c.Writes - since.Writes, c.Deletes - since.Deletes, c.Published - since.Published,
		c.PublishedBytes - since.PublishedBytes, c.Delivered - since.Delivered, c.DeliveredBytes - since.DeliveredBytes,
		c.Requests - since.Requests, c.CPUMillis - since.CPUMillis, c.ServedMillis - since.ServedMillis,
		c.Ticks - since.Ticks,
	}
}

// firestore counts documents: a read is billed for one that is missing too, and for a query that finds none.
func (o *Operations) firestore(method string, answer bool, data []byte) {
	switch {
	case method == "Commit" && !answer:
		var m firestorepb.CommitRequest
		if proto.Unmarshal(data, &m) == nil {
			o.add(func(c *Counts) { countWrites(c, m.GetWrites()) })
		}
	case method == "BatchGetDocuments" && answer:
		var m firestorepb.BatchGetDocumentsResponse
		if proto.Unmarshal(data, &m) == nil && m.GetResult() != nil {
			o.add(func(c *Counts) { c.Reads++ })
		}
	case method == "RunQuery" && answer:
		var m firestorepb.RunQueryResponse
		if proto.Unmarshal(data, &m) == nil {
			o.add(func(c *Counts) { c.Reads++ })
		}
	case method == "GetDocument" && answer:
		o.add(func(c *Counts) { c.Reads++ })
	}
}

func countWrites(c *Counts, writes []*firestorepb.Write) {
	for _, w := range writes {
		if w.GetDelete() != "" {
			c.Deletes++
		} else {
			c.Writes++
		}
	}
}

func (o *Operations) pubsub(method string, answer bool, data []byte) {
	if method != "Publish" || answer {
		return
	}
	var m pubsubpb.PublishRequest
	if proto.Unmarshal(data, &m) != nil {
		return
	}
	o.add(func(c *Counts) {
		c.Published += int64(len(m.GetMessages()))
		c.PublishedBytes += max(1000, int64(len(data)))
	})
}
