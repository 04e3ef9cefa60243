package money

import (
	"cmp"
	"math/big"
	"slices"
)

// Share is one party of an allocation: Key names it and breaks ties, Weight says how much of the total it bears.
// Negative weights count as zero.
type Share struct {
	Key    string
	Weight Money
}

// Allocate splits total over the shares in proportion to their weights, to the minor unit, by largest remainder: each
// share first gets its proportional part rounded towards zero, the minor units left go one each to the largest
// remainders, ties to the smaller key. The parts add up to total exactly and come in the order of shares, but do not
// depend on it. When all weights are zero the shares count as equal; without shares the result is empty.
func Allocate(total Money, shares []Share) []Money {
	if len(shares) == 0 {
		return nil
	}
	weights, sum := weigh(shares)
	units := big.NewInt(total.Abs().Minor())
	type part struct {
		index     int
		remainder *big.Int
	}
	minor := make([]int64, len(shares))
	parts := make([]part, len(shares))
	left := units.Int64()
	for i, w := range weights {
		q, r := new(big.Int).QuoRem(new(big.Int).Mul(units, w), sum, new(big.Int))
		minor[i], parts[i] = q.Int64(), part{i, r}
		left -= minor[i]
	}
	slices.SortStableFunc(parts, func(a, b part) int {
		return cmp.Or(b.remainder.Cmp(a.remainder), cmp.Compare(shares[a.index].Key, shares[b.index].Key))
	})
	for i := range left {
		minor[parts[i].index]++
	}
	out := make([]Money, len(shares))
	for i, n := range minor {
		if total.Sign() < 0 {
			n = -n
		}
		out[i] = FromMinor(n, total.Currency())
	}
	return out
}

func weigh(shares []Share) ([]*big.Int, *big.Int) {
	weights, sum := make([]*big.Int, len(shares)), new(big.Int)
	for i, s := range shares {
		weights[i] = big.NewInt(max(0, s.Weight.Minor()))
		sum.Add(sum, weights[i])
	}
	if sum.Sign() == 0 {
		for i := range weights {
			weights[i] = big.NewInt(1)
		}
		sum.SetInt64(int64(len(shares)))
	}
	return weights, sum
}
