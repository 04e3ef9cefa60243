package retention

// SetBound makes a run end after n old files and n records.
func (p *Pruner) SetBound(n int) { p.most = n }
