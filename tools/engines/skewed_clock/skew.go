package time

import (
	"sync/atomic"
	"syscall"
)

// The folder, named in the environment, of a file that says how many seconds this process's clock is ahead; negative
// ones are behind. It is looked at again and again, so that a clock can jump under a process that runs.
const skewVariable = "GRIDPROOF_FAULTS"
const skewEvery = 20 * Millisecond

var skew atomic.Int64

func init() {
	folder, _ := syscall.Getenv(skewVariable)
	if folder == "" {
		return
	}
	skew.Store(readSkew(folder))
	go func() { // Now may ask no kernel: timers call it where a goroutine cannot wait
		for {
			Sleep(skewEvery)
			skew.Store(readSkew(folder))
		}
	}()
}

// Now tells a time of day that is off; what it measures between two calls stays true.
func Now() Time {
	now := trueNow()
	moved := now.Add(Duration(skew.Load()) * Second)
	if now.wall&hasMonotonic != 0 && moved.wall&hasMonotonic != 0 {
		moved.ext = now.ext
	}
	return moved
}

func readSkew(folder string) int64 {
	file, err := syscall.Open(folder+"/skew", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(file)
	var told [20]byte
	count, _ := syscall.Read(file, told[:])
	sign, seconds := int64(1), int64(0)
	for _, each := range told[:max(count, 0)] {
		if each == '-' {
			sign = -1
		} else {
			seconds = 10*seconds + int64(each-'0')
		}
	}
	return sign * seconds
}
