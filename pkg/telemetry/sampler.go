package telemetry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// samplerOf reads which traces are kept. nil leaves it to OTEL_TRACES_SAMPLER, where that is set.
func samplerOf(o Options) (sdktrace.Sampler, error) {
	if o.Env("OTEL_TRACES_SAMPLER") != "" {
		return nil, nil
	}
	part, err := newRatio(o.Env("OTEL_TRACES_SAMPLER_ARG"))
	if err != nil {
		return nil, err
	}
	// A trace that somebody else wants to be kept is held to the ratio as well: anybody can send such a header.
	return sdktrace.ParentBased(part, sdktrace.WithRemoteParentSampled(part)), nil
}

// ratio keeps a part of all traces, told by their ids, so that every process keeps the same ones.
type ratio struct {
	below uint64 // of 2^63
	text  string
}

// newRatio reads a number from 0 to 1; empty is 1.
func newRatio(text string) (ratio, error) {
	const all = uint64(1) << 63
	if text == "" {
		return ratio{all, "1"}, nil
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || len(text) > 20 || r.Sign() < 0 || r.Cmp(big.NewRat(1, 1)) > 0 {
		return ratio{}, errors.New("telemetry: OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1")
	}
	bound := new(big.Int).Mul(r.Num(), new(big.Int).SetUint64(all))
	return ratio{bound.Quo(bound, r.Denom()).Uint64(), text}, nil
}

// ShouldSample implements trace.Sampler of the SDK.
func (r ratio) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	decision := sdktrace.Drop
	if binary.BigEndian.Uint64(p.TraceID[8:16])>>1 < r.below {
		decision = sdktrace.RecordAndSample
	}
	return sdktrace.SamplingResult{Decision: decision, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
}

// Description implements trace.Sampler of the SDK.
func (r ratio) Description() string { return fmt.Sprintf("ratio{%s}", r.text) }
