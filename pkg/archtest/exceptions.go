package archtest

// exceptions is the ratchet: places that break a rule, each with the reason. It may only shrink.
func exceptions() []Exception {
	return nil
}
