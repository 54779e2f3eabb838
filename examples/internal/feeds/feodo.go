package feeds

import (
	"bufio"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// feodo reads the CSV of Feodo Tracker: first_seen_utc, dst_ip, dst_port, c2_status, last_online,
// malware, or in the older form Firstseen, DstIP, DstPort, [LastOnline,] Malware.
//
// Every row becomes an Address with its dates; port and status are the Description, the malware is
// a tag. Every malware becomes a Malware that its addresses are associated with.
func feodo(br *bufio.Reader, xid func(...string) string) iter.Seq2[Entry, error] {
	var malware families
	return rows(br, func(columns []string, entries []Entry) ([]Entry, error) {
		row, err := feodoRowOf(columns)
		if err != nil {
			return nil, err
		}
		a, err := row.indicator()
		if err != nil {
			return nil, err
		}
		if row.malware == "" {
			return append(entries, Entry{Indicator: a}), nil
		}
		if a.Tags, err = tagsOf([]string{row.malware}); err != nil {
			return nil, err
		}
		name, err := ioc.CanonicalGroupName(row.malware)
		if err != nil {
			return nil, err
		}
		a.GroupXIDs = []string{malware.xid(name, func() string { return xid("feodo", "malware", name) }, func(id string) {
			g := threatconnect.NewMalware(name)
			g.XID = id
			g.Attributes = []threatconnect.Attribute{text("Description", "Malware whose command and control servers are listed.")}
			entries = append(entries, Entry{Group: g})
		})}
		return append(entries, Entry{Indicator: a}), nil
	})
}

// feodoRow is one row, in the newer form of six columns.
type feodoRow struct {
	firstSeen, ip, port, status, lastOnline, malware string
}

func feodoRowOf(c []string) (feodoRow, error) {
	for i := range c {
		c[i] = strings.TrimSpace(c[i])
	}
	switch len(c) {
	case 4:
		return feodoRow{firstSeen: c[0], ip: c[1], port: c[2], malware: c[3]}, nil
	case 5:
		return feodoRow{firstSeen: c[0], ip: c[1], port: c[2], lastOnline: c[3], malware: c[4]}, nil
	case 6:
		return feodoRow{firstSeen: c[0], ip: c[1], port: c[2], status: c[3], lastOnline: c[4], malware: c[5]}, nil
	}
	return feodoRow{}, fmt.Errorf("has %d columns, want the 4 to 6 of Feodo Tracker", len(c))
}

func (r *feodoRow) indicator() (*threatconnect.Address, error) {
	ip, err := ioc.Canonical(ioc.TypeAddress, r.ip)
	if err != nil {
		return nil, err
	}
	if port, err := strconv.ParseUint(r.port, 10, 16); err != nil || port == 0 {
		return nil, errors.New("port: want a number from 1 to 65535")
	}
	a := threatconnect.NewAddress(ip)
	if a.FirstSeen, err = csvTime(r.firstSeen); err != nil {
		return nil, errors.New("first seen: " + err.Error())
	}
	if a.LastSeen, err = csvTime(r.lastOnline); err != nil {
		return nil, errors.New("last online: " + err.Error())
	}
	description := "Command and control server on port " + r.port + "."
	if r.status != "" {
		description += " Status: " + r.status + "."
	}
	a.Attributes = []threatconnect.Attribute{text("Description", description)}
	return a, nil
}
