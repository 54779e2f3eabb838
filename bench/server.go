package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Prefixes of the path of the API that change the behavior of the server.
const (
	slow    = "/slow" // after slowBy
	slowBy  = 50 * time.Millisecond
	careful = "/careful" // an upload, after looking whether it is JSON
)

// server imitates the platform at minimal cost: uploads are read and dropped, and responses are rendered in advance.
// It checks no signature.
type server struct {
	jobs    atomic.Int64
	items   sync.Map // ID of a job -> number of its items
	buffers sync.Pool
	keep    string // directory that uploads are kept in; empty drops them
	list    rendered
	bulk    rendered
	repeats int // number of repetitions in the bulk report
}

func newServer(keep string, repeats int) *server {
	s := &server{keep: keep, list: render(listed, false), bulk: render(bulkBlock, true), repeats: repeats}
	s.buffers.New = func() any { return new(bytes.Buffer) }
	return s
}

// serve runs the server on a free port until its standard input ends, which happens when the program that started it
// exits.
func serve(keep string) error {
	s := newServer(keep, bulked/bulkBlock)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(l, s)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	before, path, _ := strings.Cut(r.URL.Path, "/api/v2/")
	if before == slow {
		time.Sleep(slowBy)
	}
	if err := s.answer(w, r, path, before == careful); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *server) answer(w http.ResponseWriter, r *http.Request, path string, careful bool) error {
	job, isJob := strings.CutPrefix(path, "batch/")
	switch {
	case r.Method == http.MethodPost && path == "batch":
		_, err := io.Copy(io.Discard, r.Body)
		write(w, `{"status":"Success","data":{"batchId":`+strconv.FormatInt(s.jobs.Add(1), 10)+`}}`)
		return err
	case r.Method == http.MethodPost && isJob:
		n := itemCounter{Reader: r.Body}
		if err := s.take(&n, r.ContentLength, job, careful); err != nil {
			return err
		}
		s.items.Store(job, n.items)
		w.WriteHeader(http.StatusAccepted)
		write(w, `{"status":"Queued"}`)
	case isJob:
		n, _ := s.items.Load(job)
		write(w, fmt.Sprintf(`{"status":"Success","data":{"batchStatus":{"id":%s,"status":"Completed","errorCount":0,"successCount":%d,"unprocessCount":0}}}`, job, n))
	case path == "indicators":
		return s.page(w, r)
	case path == "indicators/bulk/json":
		return s.all(w)
	case strings.HasPrefix(path, "indicators/hosts/"):
		write(w, fmt.Sprintf(single, strings.TrimPrefix(path, "indicators/hosts/")))
	default:
		return fmt.Errorf("no answer for %s", path)
	}
	return nil
}

func write(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, text)
}

// itemCounter counts the items of the batch file that is read through it.
type itemCounter struct {
	io.Reader
	items int
	seam  []byte // the end of the previous read, where a key may begin, and room for the beginning of the next one
}

func (c *itemCounter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	keep := len(indicatorKey) - 1
	before := countItems(c.seam)
	c.seam = append(c.seam, b[:min(n, keep)]...)
	c.items += countItems(c.seam) - before - countItems(b[:min(n, keep)]) + countItems(b[:n])
	if n >= keep {
		c.seam = append(c.seam[:0], b[n-keep:n]...)
	} else {
		c.seam = append(c.seam[:0], c.seam[max(len(c.seam)-keep, 0):]...)
	}
	return n, err
}

// Each indicator has the one key, each group the other.
const (
	indicatorKey = `"summary":`
	groupKey     = `"xid":`
)

func countItems(text []byte) int {
	return bytes.Count(text, []byte(indicatorKey)) + bytes.Count(text, []byte(groupKey))
}

// take reads a batch file.
func (s *server) take(file io.Reader, size int64, job string, careful bool) error {
	switch {
	case s.keep != "":
		f, err := os.Create(filepath.Join(s.keep, fmt.Sprintf("%06s.json", job)))
		if err != nil {
			return err
		}
		_, err = io.Copy(f, file)
		return errors.Join(err, f.Close())
	case careful:
		buf := s.buffers.Get().(*bytes.Buffer)
		defer s.buffers.Put(buf)
		buf.Reset()
		buf.Grow(int(size) + bytes.MinRead)
		if _, err := buf.ReadFrom(file); err != nil {
			return err
		}
		if !json.Valid(buf.Bytes()) {
			return errors.New("this is not JSON")
		}
		return nil
	}
	_, err := io.Copy(io.Discard, file)
	return err
}

// page answers a page of the list.
func (s *server) page(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	start, _ := strconv.Atoi(q.Get("resultStart"))
	limit, err := strconv.Atoi(q.Get("resultLimit"))
	if err != nil {
		return err
	}
	items := s.list.part(min(start, listed), min(start+limit, listed))
	head := `{"status":"Success","data":{`
	if start == 0 {
		head += `"resultCount":` + strconv.Itoa(listed) + `,`
	}
	head += `"indicator":[`
	const tail = `]}}`
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(head)+len(items)+len(tail)))
	for _, part := range [][]byte{[]byte(head), items, []byte(tail)} {
		if _, err := w.Write(part); err != nil {
			return nil // the client went away
		}
	}
	return nil
}

// all answers the bulk report.
func (s *server) all(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 256<<10)
	_, _ = out.WriteString(`{"indicator":[`)
	for i := range s.repeats {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		if _, err := out.Write(s.bulk.part(0, bulkBlock)); err != nil {
			return nil // the client went away
		}
	}
	_, _ = out.WriteString(`]}`)
	_ = out.Flush()
	return nil
}
