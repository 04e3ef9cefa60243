package platform

import (
	"github.com/arbridge/arbridge/functions/poll"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/schedule"
)

// Poll is the function behind ticks, on this platform.
func (p *Platform) Poll() *poll.Poll {
	return &poll.Poll{Engine: p.Engine, Jobs: p.Jobs, Bus: p.Bus, Log: p.Log}
}

// jobs are what is due by the calendar.
func (p *Platform) jobs(_ []*engine.Company) []schedule.Job { return nil }
