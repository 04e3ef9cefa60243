package client

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
)

// Events reads a page of the events between two instants in unix seconds, newest first, as they came; 0 leaves a side
// open. Whether the vendor honours the two is for the caller to check (invoiced-api 14.4).
func (c *Client) Events(ctx context.Context, from, to int64, token string) (List[json.RawMessage], error) {
	q := url.Values{}
	if from > 0 {
		q.Set("start_date", strconv.FormatInt(from, 10))
	}
	if to > 0 {
		q.Set("end_date", strconv.FormatInt(to, 10))
	}
	return page[json.RawMessage](ctx, c, "listing events", q, token, "events")
}
