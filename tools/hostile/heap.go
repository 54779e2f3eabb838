package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"time"
)

// What a call can keep in memory: four times the limit of an answer, and the answers of the platform, which are in
// the same process.
const maxHeap = 4*maxResponse + 8*maxSent

// heap watches the live memory of the process.
type heap struct {
	base uint64
	peak atomic.Uint64
}

// watchHeap watches the memory until the process ends. What is live now does not count.
func watchHeap() *heap {
	debug.SetGCPercent(50) // so that the memory is measured often
	runtime.GC()
	h := &heap{base: live()}
	go func() {
		for range time.Tick(2 * time.Millisecond) {
			if now := live(); now > h.peak.Load() {
				h.peak.Store(now)
			}
		}
	}()
	return h
}

// measured returns the environment of a process that measures its memory. Its garbage collections stop the world: all
// that is allocated while others run counts as in use, and on a busy machine they run for long.
func measured() []string {
	return append(os.Environ(), "GODEBUG="+strings.TrimPrefix(os.Getenv("GODEBUG")+","+stopTheWorld, ","))
}

const stopTheWorld = "gcstoptheworld=1"

// live returns the size of the objects that the last garbage collection found in use.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// start begins a measurement.
func (h *heap) start() {
	if live() > h.base+maxResponse {
		runtime.GC() // of the attempt before
	}
	h.peak.Store(0)
}

// take returns the peak since the start of the measurement, beyond the memory at the start of the process.
func (h *heap) take() uint64 { return max(h.peak.Load(), live(), h.base) - h.base }
