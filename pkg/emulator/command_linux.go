package emulator

import (
	"os/exec"
	"syscall"
)

// command prepares a process that the kernel ends together with the thread that starts it.
func command(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, nil
}
