package time

import "syscall"

// Seconds that this process's clock is ahead, from the environment; negative ones are behind.
const skewVariable = "GRIDPROOF_CLOCK_SKEW_S"

var skew = readSkew()

func readSkew() Duration {
	told, _ := syscall.Getenv(skewVariable)
	sign := Duration(1)
	if len(told) > 0 && told[0] == '-' {
		sign, told = -1, told[1:]
	}
	seconds := Duration(0)
	for _, digit := range []byte(told) {
		seconds = 10*seconds + Duration(digit-'0')
	}
	return sign * seconds * Second
}

// Now tells a time of day that is off; what it measures between two calls stays true.
func Now() Time {
	now := trueNow()
	moved := now.Add(skew)
	if now.wall&hasMonotonic != 0 && moved.wall&hasMonotonic != 0 {
		moved.ext = now.ext
	}
	return moved
}
