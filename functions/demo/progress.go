package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
)

// progress is one line that says what goes on: rewritten in place on a terminal, printed now and then elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
	began    time.Time
	last     time.Time
	doing    string
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, began: clock.System{}.Now()}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// say tells the reader what happens next.
func (p *progress) say(title string, lines []string) {
	p.end()
	fmt.Fprintf(p.out, "\n%s\n", title)
	for _, line := range lines {
		fmt.Fprintf(p.out, "  - %s\n", line)
	}
}

// note adds a line to what was told.
func (p *progress) note(format string, args ...any) {
	p.end()
	fmt.Fprintf(p.out, "    "+format+"\n", args...)
}

func (p *progress) show(doing string, w *world) {
	p.doing = doing
	p.tick(w)
}

func (p *progress) tick(w *world) {
	now := clock.System{}.Now()
	every := 5 * time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	portal, erp := w.portal.Calls.Counts(), w.erp.Calls().Counts()
	text := fmt.Sprintf("%4ds  portal: %d customers, %d documents written; ERP: %d calls, %d receipts and entries written",
		int(now.Sub(p.began).Seconds()), portal["POST /customers"], portal["POST /invoices"]+portal["POST /credit_notes"], total(erp), writes(erp))
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s; %s", text, p.doing)
		return
	}
	fmt.Fprintln(p.out, text)
}

// end leaves the line.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func total(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

func writes(counts map[string]int) int {
	n := 0
	for label, c := range counts {
		if strings.HasPrefix(label, "PUT") {
			n += c
		}
	}
	return n
}
