package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/threatconnect-go/threatconnect"
)

func list(ctx context.Context, t task) error { return t.list(ctx, 0) }

func listAhead(ctx context.Context, t task) error { return t.list(ctx, ahead) }

func (t task) list(ctx context.Context, ahead int) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	n := 0
	opts := &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: t.page, Ahead: ahead}}
	for ind, err := range c.Indicators.All(ctx, opts) {
		if err != nil {
			return err
		}
		runtime.KeepAlive(ind)
		n++
	}
	return t.check(n)
}

// flat is an indicator in a typical program without a package.
type flat struct {
	ID                     int64     `json:"id"`
	OwnerName              string    `json:"ownerName"`
	Type                   string    `json:"type"`
	DateAdded              time.Time `json:"dateAdded"`
	LastModified           time.Time `json:"lastModified"`
	Rating                 float64   `json:"rating"`
	Confidence             int       `json:"confidence"`
	ThreatAssessRating     float64   `json:"threatAssessRating"`
	ThreatAssessConfidence float64   `json:"threatAssessConfidence"`
	ThreatAssessScore      int       `json:"threatAssessScore"`
	WebLink                string    `json:"webLink"`
	Summary                string    `json:"summary"`
	Tags                   []struct {
		Name    string `json:"name"`
		WebLink string `json:"webLink"`
	} `json:"tag"`
	Attributes []struct {
		ID           int64     `json:"id"`
		Type         string    `json:"type"`
		DateAdded    time.Time `json:"dateAdded"`
		LastModified time.Time `json:"lastModified"`
		Displayed    bool      `json:"displayed"`
		Value        string    `json:"value"`
	} `json:"attribute"`
}

func listBare(ctx context.Context, t task) error {
	n := 0
	for start := 0; start < t.n; start += t.page {
		var page struct {
			Data struct {
				Indicator []flat `json:"indicator"`
			} `json:"data"`
		}
		url := fmt.Sprintf("%s/v2/indicators?includeAdditional=true&owner=Example%%20Source&resultLimit=%d&resultStart=%d", t.base, t.page, start)
		if err := bare(ctx, http.MethodGet, url, nil, 0, &page); err != nil {
			return err
		}
		for i := range page.Data.Indicator {
			runtime.KeepAlive(&page.Data.Indicator[i])
			n++
		}
	}
	return t.check(n)
}

func get(ctx context.Context, t task) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	for i := range t.n {
		h, err := c.Indicators.Hosts.Get(ctx, hostName(i), nil)
		if err != nil {
			return err
		}
		runtime.KeepAlive(h)
	}
	return nil
}

func getBare(ctx context.Context, t task) error {
	for i := range t.n {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.base+"/v2/indicators/hosts/"+hostName(i)+"?includeAdditional=true&owner=Example%20Source", nil)
		if err != nil {
			return err
		}
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte(secretKey))
		_, _ = io.WriteString(mac, req.URL.RequestURI()+":"+req.Method+":"+timestamp)
		req.Header.Set("Timestamp", timestamp)
		req.Header.Set("Authorization", "TC "+accessID+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		var answer struct {
			Data struct {
				Host struct {
					flat
					Owner struct {
						ID         int64
						Name, Type string
					} `json:"owner"`
					HostName    string `json:"hostName"`
					DNSActive   string `json:"dnsActive"`
					WhoisActive string `json:"whoisActive"`
				} `json:"host"`
			} `json:"data"`
		}
		if err := send(req, &answer); err != nil {
			return err
		}
		runtime.KeepAlive(&answer.Data.Host)
	}
	return nil
}
