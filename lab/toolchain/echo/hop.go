package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// How long the next service may take, all tries of the sidecar included: as long as its route allows.
const nextWithin = 10 * time.Second

// How much of an answer that is not the next service's own is told, in bytes.
const toldOfFailure = 200

// chain is a service's place among those that one request goes through.
type chain struct {
	// name of the service; without one it is in no chain, and says nothing of it.
	name string
	// next is the URL of the service to call for each request; the last one has none.
	next string
	// passOn are the headers that go on to it, as long as dropMark is not set. The first one is the mark.
	passOn   []string
	dropMark bool
}

// connections to the next service end at this pod's sidecar. They are kept for all that come at once, and until
// the sidecar closes them; a request that meets such an end is tried anew, for it is a GET.
var connections = &http.Client{
	Transport: &http.Transport{MaxIdleConnsPerHost: 1000},
	Timeout:   nextWithin,
}

// hop says who has served the request and by which mark: `Hop=front v2 cluster-a canary`.
func (s service) hop(r *http.Request) string {
	mark := "-"
	if len(s.chain.passOn) > 0 {
		if value := r.Header.Get(s.chain.passOn[0]); value != "" {
			mark = value
		}
	}
	return fmt.Sprintf("Hop=%s %s %s %s\n", s.chain.name, s.version, s.cluster, mark)
}

// callNext gives the lines that the next service and those after it have added. Whatever is not an answer of
// the next service with status 200 is an error, and the lines then say how far the request has come.
func (s service) callNext(r *http.Request) (string, error) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.chain.next, nil)
	if err != nil {
		return "", err
	}
	if !s.chain.dropMark {
		for _, name := range s.chain.passOn {
			for _, value := range r.Header.Values(name) {
				request.Header.Add(name, value)
			}
		}
	}
	response, err := connections.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	// To its end, or the connection cannot be used again.
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	lines := chainLines(string(body))
	if response.StatusCode == http.StatusOK {
		return lines, nil
	}
	told := fmt.Sprintf("%s answers %d", s.chain.next, response.StatusCode)
	if lines == "" {
		told += ": " + firstLine(string(body))
	}
	return lines, errors.New(told)
}

// answerChain gives the lines of this service and those after it, and the status: 502 if one of them has failed.
func (s service) answerChain(r *http.Request, status int) (string, int) {
	lines := s.hop(r)
	if s.chain.next == "" || status != http.StatusOK {
		return lines, status
	}
	further, err := s.callNext(r)
	if err == nil {
		return lines + further, status
	}
	return fmt.Sprintf("%sFailure=%s %s %s: %v\n%s", lines, s.chain.name, s.version, s.cluster, err, further),
		http.StatusBadGateway
}

// chainLines are the lines of an answer that tell of the chain.
func chainLines(body string) string {
	var lines strings.Builder
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "Hop=") || strings.HasPrefix(line, "Failure=") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), toldOfFailure)]
}
