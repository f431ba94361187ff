package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// service is one version of a service in one cluster.
type service struct {
	version, cluster string
	faults           faults
	chain            chain
}

// faults are what is wrong with it, at random, so that requests fail independently of each other.
type faults struct {
	failPercent, slowPercent float64
	slowBy                   time.Duration
}

// handler answers everything; /healthz is never faulty, so that faulty pods live.
func (s service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("/", s.answer)
	return mux
}

// answer obeys two query parameters: delay=2s waits, and codes=500:1,200:3 answers with one of these
// statuses, as likely as the numbers after them are to each other.
func (s service) answer(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	delay, err := delayOf(query.Get("delay"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if happens(s.faults.slowPercent) {
		delay += s.faults.slowBy
	}
	status, err := statusOf(query.Get("codes"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if happens(s.faults.failPercent) {
		status = http.StatusInternalServerError
	}
	select {
	case <-r.Context().Done():
		return
	case <-time.After(delay):
	}
	hops := ""
	if s.chain.name != "" {
		hops, status = s.answerChain(r, status)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, s.describe(r), hops)
}

func (s service) describe(r *http.Request) string {
	var text strings.Builder
	line := func(name, value string) { fmt.Fprintf(&text, "%s=%s\n", name, value) }
	line("ServiceVersion", s.version)
	line("Cluster", s.cluster)
	if name, err := os.Hostname(); err == nil {
		line("Hostname", name)
	}
	line("Method", r.Method)
	line("Host", r.Host)
	line("URL", r.RequestURI)
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range r.Header[name] {
			line("RequestHeader", name+":"+value)
		}
	}
	return text.String()
}

func happens(percent float64) bool {
	return rand.Float64()*100 < percent
}

func delayOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	delay, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("delay must be a duration, as in delay=2s: %w", err)
	}
	return delay, nil
}

func statusOf(codes string) (int, error) {
	if codes == "" {
		return http.StatusOK, nil
	}
	statuses := []int{}
	for _, each := range strings.Split(codes, ",") {
		code, chance, found := strings.Cut(each, ":")
		if !found {
			chance = "1"
		}
		status, err := strconv.Atoi(code)
		share, err2 := strconv.Atoi(chance)
		if err != nil || err2 != nil || status < 200 || status > 599 || share < 0 || share > 1000 {
			return 0, fmt.Errorf("codes must be statuses with their chances, as in codes=500:1,200:3: got %q", codes)
		}
		for range share {
			statuses = append(statuses, status)
		}
	}
	if len(statuses) == 0 {
		return 0, fmt.Errorf("codes must give at least one status a chance: got %q", codes)
	}
	return statuses[rand.IntN(len(statuses))], nil
}
