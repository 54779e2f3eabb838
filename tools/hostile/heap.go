package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"time"
)

// Memory that a call may use: four times the limit of a response, and the same for another that it reads in parallel.
const maxHeap = 2 * 4 * maxResponse

// heap measures the live memory that the client allocated, without that of the platform and the checks, which are in the
// same process.
type heap struct {
	base uint64 // of all live memory
	peak atomic.Uint64
}

// watchHeap watches the memory until the process ends.
func watchHeap() *heap {
	debug.SetGCPercent(50) // for frequent measurements
	runtime.MemProfileRate = profileRate
	runtime.GC()
	h := &heap{base: live()}
	go func() {
		last := uint64(0)
		for range time.Tick(2 * time.Millisecond) {
			if n := collections(); n != last && live() > h.base+maxResponse {
				last = n
				h.peak.Store(max(h.peak.Load(), clients()))
			}
		}
	}()
	return h
}

// profileRate is the number of allocated bytes per sample.
const profileRate = 32 << 10

// clients returns the size of the objects that the client allocated and that were in use in the garbage collection before
// the last one.
func clients() uint64 {
	records := make([]runtime.MemProfileRecord, 5000)
	n, ok := runtime.MemProfile(records, false)
	for !ok {
		records = make([]runtime.MemProfileRecord, n+500)
		n, ok = runtime.MemProfile(records, false)
	}
	sum := 0.0
	for _, r := range records[:n] {
		if size := float64(r.InUseBytes()); size > 0 && isClients(r.Stack()) {
			sum += size / (1 - math.Exp(-size/float64(r.InUseObjects())/profileRate))
		}
	}
	return uint64(sum)
}

// isClients reports whether a stack belongs to the client, which means that the last call into another package came from
// it. A program that prints a result is not the client.
func isClients(stack []uintptr) bool {
	const module = "github.com/threatconnect-go/threatconnect"
	found, client := false, false
	for frames, more := runtime.CallersFrames(stack), true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if strings.HasSuffix(f.Function, ".(*run).show") {
			return false
		}
		harness := strings.HasPrefix(f.Function, "main.") || strings.HasPrefix(f.Function, module+"/tools/") || strings.HasPrefix(f.Function, module+"/threatconnecttest.")
		if !found && (harness || strings.HasPrefix(f.Function, module)) {
			found, client = true, !harness
		}
	}
	return client
}

// collections returns the number of garbage collections.
func collections() uint64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// measured returns the environment of a process that measures its memory. Its garbage collections stop the world.
// Otherwise, everything that is allocated during a collection, which can be long on a busy machine, counts as in use.
func measured() []string {
	return append(os.Environ(), "GODEBUG="+strings.TrimPrefix(os.Getenv("GODEBUG")+","+stopTheWorld, ","))
}

const stopTheWorld = "gcstoptheworld=1"

// live returns the size of the objects that were in use in the last garbage collection.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// start begins a measurement.
func (h *heap) start() {
	if h.peak.Load() > 0 || live() > h.base+maxResponse { // of the attempt before
		runtime.GC()
		runtime.GC()
	}
	h.peak.Store(0)
}

// take returns the peak since the start of the measurement.
func (h *heap) take() uint64 {
	if h.peak.Load() > 0 || live() > h.base+maxResponse {
		h.peak.Store(max(h.peak.Load(), clients()))
		runtime.GC()
		h.peak.Store(max(h.peak.Load(), clients()))
	}
	return h.peak.Load()
}
