//go:build !linux

package emulator

import (
	"fmt"
	"os/exec"
)

// watchdog runs its arguments and kills them when its standard input ends, which is when this process does.
const watchdog = `exec 3<&0
"$@" 3<&- </dev/null &
child=$!
( cat >/dev/null; kill -9 "$child" ) <&3 >/dev/null 2>&1 &
wait "$child"`

// command prepares a process that a shell ends together with this process.
func command(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command("sh", append([]string{"-c", watchdog, "sh", name}, args...)...)
	// The pipe is never written to: its end is the signal. The command keeps it open until Wait.
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("preparing %s: %w", name, err)
	}
	return cmd, nil
}
