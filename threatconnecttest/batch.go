package threatconnecttest

import "time"

const defaultBatchLimit = 75_000_000

type batchSettings struct{ limit int64 }
type job struct{}

func batchRoutes() []route { return nil }

func (s *Server) runDueJobs(now time.Time) {}
