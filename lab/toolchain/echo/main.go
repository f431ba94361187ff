// Command echo is the service that the lab releases. It answers each request with who has answered
// and what was asked, a line each, as `ServiceVersion=v2`. As one of a chain of services it calls the
// next one for each request, passes the mark on, and adds a line for each service, as `Hop=front v2 cluster-a canary`.
//
// It keeps connections until its client closes them: a server that closes an idle one just as a
// request comes in makes that request fail, which would look like a fault of the release.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// How long it serves on after it was told to end: a little longer than its sidecar, which hands on
// requests for 5 s, until all others know that this pod is going away.
const drain = 6 * time.Second

// Longest wait after that for requests which are still being answered.
const unfinished = 15 * time.Second

func main() {
	port := flag.Int("port", 8080, "port to listen on")
	self := service{}
	flag.StringVar(&self.version, "version", "", "version that answers are marked with")
	flag.StringVar(&self.cluster, "cluster", "", "cluster that answers are marked with")
	faults := faults{}
	flag.Float64Var(&faults.failPercent, "fail-percent", 0, "percent of the requests to answer with 500")
	flag.Float64Var(&faults.slowPercent, "slow-percent", 0, "percent of the requests to answer late")
	flag.DurationVar(&faults.slowBy, "slow-by", 0, "how late these are")
	faultsIn := flag.String("faults-in", "", "the only cluster with these faults (default: every one)")
	flag.StringVar(&self.chain.name, "service", "", "name of the service in its chain (default: it is in none)")
	flag.StringVar(&self.chain.next, "next", "", "URL of the next service, which is called for each request")
	passOn := flag.String("pass-on", "", "headers that go on to it, joined by commas; the first one is the mark")
	flag.BoolVar(&self.chain.dropMark, "drop-mark", false, "pass none of these headers on")
	flag.Parse()
	if *passOn != "" {
		self.chain.passOn = strings.Split(*passOn, ",")
	}
	if *faultsIn == "" || *faultsIn == self.cluster {
		self.faults = faults
	}
	if err := serve(*port, self.handler()); err != nil {
		log.Fatal(err)
	}
}

// serve answers until the process is told to end, and every request that has come by then.
func serve(port int, handler http.Handler) error {
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// Without timeouts: nothing but the client ends a connection.
	server := &http.Server{Addr: net.JoinHostPort("", strconv.Itoa(port)), Handler: handler}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ended.Done():
	}
	// A second signal ends it at once.
	stop()
	select {
	case err := <-failed:
		return err
	case <-time.After(drain):
	}
	timely, cancel := context.WithTimeout(context.Background(), unfinished)
	defer cancel()
	if err := server.Shutdown(timely); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
