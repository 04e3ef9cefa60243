// Package client speaks the wire form of the Invoiced.com REST API: typed requests and answers, exact numbers, paging,
// and the translation of refusals to error classes (invoiced-api 1, 15).
//
// What the vendor sends loosely is read loosely: an empty map may arrive as a list, a list as a map with numbers for
// keys, a relation as an id or as the whole object, a number as a text, and unknown fields and enumeration values are
// let through. What concerns money is read strictly: an amount that is not an exact decimal is an error of its record.
//
// No method repeats a write, with one exception: a call refused with 401 is made once more under the next version of
// the API key, because a refused call did nothing and a rotation must not stop the work.
package client
