package os

import "syscall"

// The folder, named in the environment, in which the file `full` says that the disk takes nothing more.
const fullVariable = "GRIDPROOF_FAULTS"

var fullFolder, _ = syscall.Getenv(fullVariable)

// writeWhereRoom writes, or says what the kernel says of a full disk; what goes to a terminal or a pipe has room.
func (f *File) writeWhereRoom(b []byte) (int, error) {
	if fullFolder != "" && f != Stdout && f != Stderr {
		var found syscall.Stat_t
		if syscall.Stat(fullFolder+"/full", &found) == nil {
			return 0, syscall.ENOSPC
		}
	}
	return f.write(b)
}
