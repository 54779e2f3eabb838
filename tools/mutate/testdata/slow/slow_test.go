package slow

import (
	"testing"
	"time"
)

func TestF(*testing.T) { time.Sleep(time.Duration(F()) * time.Hour) }
