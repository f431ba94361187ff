// Stands in for kube-state-metrics, which no package registry has: it serves the metrics that its
// CustomResourceState configuration describes, on :8080/metrics.
//
// Of the real one it has the flags --custom-resource-state-config-file, --custom-resource-state-only
// and --port; Gauge with path, labelsFromPath and valueFrom; and number conversion as far as weights
// need it. It lists the objects at each scrape where the real one watches them. It leaves out all other
// metrics of Kubernetes' own objects, the types Info and StateSet, and lookups by [key=value].
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

type paths map[string][]string

type gauge struct {
	Path           []string `json:"path"`
	LabelsFromPath paths    `json:"labelsFromPath"`
	ValueFrom      []string `json:"valueFrom"`
}

type generator struct {
	Name string `json:"name"`
	Help string `json:"help"`
	Each struct {
		Type  string `json:"type"`
		Gauge gauge  `json:"gauge"`
	} `json:"each"`
}

type resource struct {
	GroupVersionKind v1.GroupVersionKind `json:"groupVersionKind"`
	MetricNamePrefix string              `json:"metricNamePrefix"`
	LabelsFromPath   paths               `json:"labelsFromPath"`
	Metrics          []generator         `json:"metrics"`
}

type config struct {
	Kind string `json:"kind"`
	Spec struct {
		Resources []resource `json:"resources"`
	} `json:"spec"`
}

func main() {
	file := flag.String("custom-resource-state-config-file", "", "what to serve")
	flag.Bool("custom-resource-state-only", true, "the only mode of this stand-in")
	port := flag.Int("port", 8080, "where to serve it")
	flag.Parse()

	text, err := os.ReadFile(*file)
	must(err)
	var wanted config
	must(yaml.UnmarshalStrict(text, &wanted))
	access, err := rest.InClusterConfig()
	must(err)
	access.Timeout = 10 * time.Second
	known, err := discovery.NewDiscoveryClientForConfig(access)
	must(err)
	objects, err := dynamic.NewForConfig(access)
	must(err)

	http.HandleFunc("/metrics", func(answer http.ResponseWriter, request *http.Request) {
		var body strings.Builder
		for _, resource := range wanted.Spec.Resources {
			if err := write(request.Context(), &body, known, objects, resource); err != nil {
				log.Print(err)
				http.Error(answer, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		answer.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		fmt.Fprint(answer, body.String())
	})
	http.HandleFunc("/livez", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(fmt.Sprintf(":%d", *port), nil))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// write adds the samples of every object of one resource.
func write(
	ctx context.Context, body *strings.Builder, known discovery.DiscoveryInterface, objects dynamic.Interface, of resource,
) error {
	kind := of.GroupVersionKind
	group := schema.GroupVersion{Group: kind.Group, Version: kind.Version}
	list, err := known.ServerResourcesForGroupVersion(group.String())
	if err != nil {
		return err
	}
	plural := ""
	for _, candidate := range list.APIResources {
		if candidate.Kind == kind.Kind && !strings.Contains(candidate.Name, "/") {
			plural = candidate.Name
		}
	}
	if plural == "" {
		return fmt.Errorf("%s has no kind %s", group, kind.Kind)
	}
	found, err := objects.Resource(group.WithResource(plural)).List(ctx, v1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	for _, metric := range of.Metrics {
		if metric.Each.Type != "Gauge" {
			return fmt.Errorf("%s: this stand-in has no type %s", metric.Name, metric.Each.Type)
		}
		name := of.MetricNamePrefix + "_" + metric.Name
		fmt.Fprintf(body, "# HELP %s %s\n# TYPE %s gauge\n", name, metric.Help, name)
		for _, object := range found.Items {
			elements, ok := at(object.Object, metric.Each.Gauge.Path).([]any)
			if !ok {
				continue
			}
			for _, element := range elements {
				value, ok := number(at(element, metric.Each.Gauge.ValueFrom))
				if !ok {
					continue
				}
				labels := map[string]string{
					"customresource_group": kind.Group, "customresource_version": kind.Version, "customresource_kind": kind.Kind,
				}
				add(labels, object.Object, of.LabelsFromPath)
				add(labels, element, metric.Each.Gauge.LabelsFromPath)
				fmt.Fprintf(body, "%s{%s} %v\n", name, text(labels), value)
			}
		}
	}
	return nil
}

// at gives the value at a path, nil if there is none; negative indices count from a list's end.
func at(value any, path []string) any {
	for _, part := range path {
		switch container := value.(type) {
		case map[string]any:
			value = container[part]
		case []any:
			index, err := strconv.Atoi(part)
			if err != nil {
				return nil
			}
			if index < 0 {
				index += len(container)
			}
			if index < 0 || index >= len(container) {
				return nil
			}
			value = container[index]
		default:
			return nil
		}
	}
	return value
}

func number(value any) (float64, bool) {
	switch number := value.(type) {
	case int64:
		return float64(number), true
	case float64:
		return number, true
	}
	return 0, false
}

func add(labels map[string]string, from any, where paths) {
	for label, path := range where {
		if value := at(from, path); value != nil {
			labels[label] = fmt.Sprint(value)
		}
	}
}

func text(labels map[string]string) string {
	pairs := []string{}
	for label, value := range labels {
		pairs = append(pairs, fmt.Sprintf("%s=%q", label, value))
	}
	sort.Strings(pairs)
	return strings.Join(pairs, ",")
}
