package lookup

import (
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// sampleValues returns the values that are looked up in the test server if there are no others.
func sampleValues() []string {
	return []string{
		"203[.]0[.]113[.]42",
		"hxxps://login.invoices[.]example/verify?id=7",
		"Bücher.example",
		"2001:db8::bad",
		"44d88612fea8a8f36de82e1278abb02f",
		"billing(at)invoices[.]example",
		"www.example.org",
	}
}

// fill adds the sample to a test server.
func fill(srv *threatconnecttest.Server) error {
	assessed := &threatconnecttest.ThreatAssess{Rating: 3.5, Confidence: 76, Score: 712}
	group := &threatconnecttest.GroupRecord{
		Owner: "Example Source", Type: "Incident", Name: "Invoice lures in October", Tags: []string{"Phishing"},
	}
	if err := srv.Seed(group); err != nil {
		return err
	}
	for _, r := range []threatconnecttest.IndicatorRecord{
		{
			Owner: "Example Source", Type: "Address", Summary: "203.0.113.42", Rating: new(4.0), Confidence: new(85), Assessed: assessed,
			Tags: []string{"Command and Control", "Botnet"}, Labels: []string{"TLP:AMBER"}, Groups: []string{group.XID},
			Attributes: []threatconnecttest.AttributeRecord{
				{Type: "Description", Value: "Server of a botnet. Infected machines connect to it every ten minutes.", Displayed: true},
				{Type: "Source", Value: "https://blog.example/botnet", Displayed: true},
			},
		},
		{
			Owner: "Example Community", Type: "Address", Summary: "203.0.113.42", Rating: new(2.0), Confidence: new(40), Assessed: assessed,
			Tags: []string{"Scanner"},
		},
		{
			Owner: "Example Source", Type: "URL", Summary: "https://login.invoices.example/verify?id=7", Rating: new(5.0), Confidence: new(95),
			Tags: []string{"Phishing", "Credential Theft", "Invoice Lure"}, Groups: []string{group.XID},
		},
		{Owner: "Example Community", Type: "Host", Summary: "xn--bcher-kva.example", Rating: new(1.0), Confidence: new(50)},
		{
			Owner: "Example Source", Type: "Address", Summary: "2001:db8:0:0:0:0:0:bad", Rating: new(3.0), Confidence: new(70),
			Tags: []string{"Scanner"},
		},
		{
			Owner: "Example Source", Type: "File",
			Summary: "44D88612FEA8A8F36DE82E1278ABB02F : 3395856CE81F2B7382DEE72602F798B642F14140 : 275A021BBFB6489E54D471899F7DB9D1663FC695EC2FE2A2C4538AABF651FD0F",
			Rating:  new(0.0), Confidence: new(100), Tags: []string{"EICAR", "Test File"},
		},
		{
			Owner: "Example Organization", Type: "EmailAddress", Summary: "billing@invoices.example", Rating: new(3.0), Confidence: new(60),
			Tags: []string{"Phishing"},
		},
		{Owner: "Example Source", Type: "Mutex", Summary: `Global\example-mutex`, Rating: new(3.0), Confidence: new(60), Tags: []string{"Botnet"}},
	} {
		if err := srv.Seed(&r); err != nil {
			return err
		}
	}
	return nil
}
