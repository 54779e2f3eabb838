// Command webhook receives alerts as POST requests and answers each with what ThreatConnect knows about its
// indicators.
//
//	WEBHOOK_TOKEN=secret go run ./webhook 127.0.0.1:8080
//	curl -H 'Authorization: Bearer secret' -d '{"indicators":["203.0.113.42"]}' http://127.0.0.1:8080
//
// The environment names the instance: TC_BASE_URL, TC_ACCESS_ID and TC_SECRET_KEY, or TC_TOKEN.
package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

const (
	maxBody   = 1 << 20 // bytes of an alert
	maxValues = 100     // indicators of an alert; one with more is a feed
	malicious = 500     // ThreatAssess score
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 2 || os.Getenv("WEBHOOK_TOKEN") == "" {
		log.Fatal("usage: WEBHOOK_TOKEN=secret webhook ADDRESS")
	}
	client, err := threatconnect.NewClientFromEnv(threatconnect.WithUserAgent("acme-webhook/1.0"))
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Addr: os.Args[1], Handler: newWebhook(client, os.Getenv("WEBHOOK_TOKEN")), ReadTimeout: 30 * time.Second}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

// webhook is the handler of alerts.
type webhook struct {
	client     *threatconnect.Client
	token      string
	exclusions ioc.Exclusions // private addresses and others that say nothing
}

func newWebhook(client *threatconnect.Client, token string) *webhook {
	return &webhook{client: client, token: token, exclusions: ioc.Exclusions{AllowDocumentation: true}}
}

// verdict is the answer about one value.
type verdict struct {
	Value     string   `json:"value"`
	Type      string   `json:"type,omitempty"`
	Owners    []string `json:"owners"` // that have the indicator
	Score     *int     `json:"score"`  // ThreatAssess, 0 to 1000; null if unknown
	Malicious bool     `json:"malicious"`
	Skipped   string   `json:"skipped,omitempty"` // why the value was not looked up
}

func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want := "Bearer " + h.token
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(want)) != 1 {
		http.Error(w, "the token is wrong", http.StatusUnauthorized)
		return
	}
	var alert struct {
		Indicators []string `json:"indicators"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&alert)
	if r.Method != http.MethodPost || err != nil || len(alert.Indicators) > maxValues {
		http.Error(w, `POST an object as {"indicators":["203.0.113.42"]}, with up to 100 values`, http.StatusBadRequest)
		return
	}
	verdicts, err := h.lookup(r.Context(), alert.Indicators)
	if err != nil {
		slog.ErrorContext(r.Context(), "look up an alert", "error", err) // has no values
		http.Error(w, "the look-up failed: send the alert again", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(verdicts) // an error means that the sender has gone
}

// lookup looks values up in all owners. Values that are not indicators are skipped.
func (h *webhook) lookup(ctx context.Context, values []string) ([]verdict, error) {
	opts := &threatconnect.LookupOptions{AllOwners: true, Exclude: h.exclusions.Exclude}
	verdicts := []verdict{}
	for result, err := range h.client.Indicators.Lookup(ctx, slices.Values(values), opts) {
		if err != nil {
			return nil, err
		}
		v := verdict{Value: result.Value, Type: string(result.Ref.Type), Owners: []string{}, Skipped: result.Excluded}
		if errors.Is(result.Err, threatconnect.ErrValidation) {
			v.Skipped = "not an indicator"
		} else if result.Err != nil {
			return nil, result.Err
		}
		for _, indicator := range result.Found {
			v.Owners = append(v.Owners, indicator.Meta().Owner.Name)
		}
		if score, known := result.ThreatAssessScore(); known {
			v.Score, v.Malicious = &score, score >= malicious
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}
