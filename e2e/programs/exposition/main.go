// Package main reads what an endpoint of metrics answered, with the two parsers of Prometheus itself: the one a server
// scrapes with, and the one of its client libraries. It tells what they found, or why they did not.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

type found struct {
	// Families with at least one sample, and their types.
	Families map[string]string `json:"families"`
	// Samples as the scraping parser counts them.
	Samples int `json:"samples"`
	// Samples without HELP or TYPE before them.
	Untyped int `json:"untyped"`
	// Series that are there twice, which a server would drop.
	Doubled []string `json:"doubled"`
}

func main() {
	contentType := "text/plain"
	if len(os.Args) > 1 {
		contentType = os.Args[1]
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	result, err := read(input, contentType)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func read(input []byte, contentType string) (*found, error) {
	library := expfmt.NewTextParser(model.UTF8Validation)
	families, err := library.TextToMetricFamilies(bytes.NewReader(input))
	if err != nil {
		return nil, fmt.Errorf("expfmt: %w", err)
	}
	result := &found{Families: map[string]string{}, Doubled: []string{}}
	for name, family := range families {
		result.Families[name] = family.GetType().String()
	}
	parser, err := textparse.New(input, contentType, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return nil, fmt.Errorf("textparse: %w", err)
	}
	seen := map[string]bool{}
	typed := map[string]bool{}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return result, nil
		}
		if err != nil {
			return nil, fmt.Errorf("textparse: %w", err)
		}
		switch entry {
		case textparse.EntryType:
			name, _ := parser.Type()
			typed[string(name)] = true
		case textparse.EntrySeries:
			var series labels.Labels
			parser.Labels(&series)
			result.Samples++
			if !typed[series.Get(labels.MetricName)] {
				result.Untyped++
			}
			key := series.String()
			if seen[key] {
				result.Doubled = append(result.Doubled, key)
			}
			seen[key] = true
		}
	}
}
