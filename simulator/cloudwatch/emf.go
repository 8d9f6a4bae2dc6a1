package cloudwatch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// emfError is the error of a line that was meant as EMF but is invalid. CloudWatch drops such a line and counts it in
// AWS/Logs.
type emfError struct {
	metric string // EMFParsingErrors or EMFValidationErrors
	cause  error
}

func (e *emfError) Error() string { return e.metric + ": " + e.cause.Error() }

// Limits of the format and of a log event.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
const (
	maxEvent      = 256 << 10
	maxName       = 255
	maxDimensions = 30
	maxDimension  = 250
	maxValueText  = 1024
	maxMetrics    = 100
	maxValues     = 100
	oldest        = 14 * 24 * time.Hour
	newest        = 2 * time.Hour
)

// metadata is the member _aws of an EMF object.
type metadata struct {
	Timestamp         *int64
	CloudWatchMetrics *[]directive
}

type directive struct {
	Namespace  *string
	Dimensions *[][]string
	Metrics    *[]definition
}

type definition struct {
	Name              *string
	Unit              *string
	StorageResolution *int
}

// readEMF extracts the metrics from a line. A line that is not meant as EMF has none. One invalid part invalidates the
// line: CloudWatch might accept the rest, which would hide the fault.
func readEMF(line string, now time.Time) ([]Datum, *emfError) {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "{") || !strings.Contains(line, `"_aws"`) {
		return nil, nil
	}
	root, err := members([]byte(line))
	if err != nil {
		return nil, &emfError{"EMFParsingErrors", err}
	}
	if _, ok := root["_aws"]; !ok { // it is nested deeper, or inside a text
		return nil, nil
	}
	data, err := readMetadata(root, now)
	if err == nil && len(line) > maxEvent {
		err = fmt.Errorf("the line has %d bytes; a log event has at most %d", len(line), maxEvent)
	}
	if err != nil {
		return nil, &emfError{"EMFValidationErrors", err}
	}
	return data, nil
}

// members returns the root's members. A duplicate name is an error, since readers disagree on its meaning.
func members(text []byte) (map[string]json.RawMessage, error) {
	if !json.Valid(text) {
		return nil, errors.New("it is no JSON")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	_, _ = d.Token() // the brace
	all := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		if _, twice := all[name.(string)]; twice {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		all[name.(string)] = v
	}
	return all, nil
}

// readMetadata returns the values of all directives. A timestamp outside the range that CloudWatch accepts invalidates
// the line.
func readMetadata(root map[string]json.RawMessage, now time.Time) ([]Datum, error) {
	var aws metadata
	if err := json.Unmarshal(root["_aws"], &aws); err != nil {
		return nil, fmt.Errorf("_aws: %w", err)
	}
	if aws.Timestamp == nil || aws.CloudWatchMetrics == nil {
		return nil, errors.New("_aws has no Timestamp or no CloudWatchMetrics")
	}
	at := time.UnixMilli(*aws.Timestamp)
	if at.Before(now.Add(-oldest)) || at.After(now.Add(newest)) {
		return nil, fmt.Errorf("the Timestamp %d is not within 14 days before and 2 hours after now", *aws.Timestamp)
	}
	var data []Datum
	for _, d := range *aws.CloudWatchMetrics {
		more, err := d.read(root, at)
		if err != nil {
			return nil, err
		}
		data = append(data, more...)
	}
	return data, nil
}

// read returns the values of a directive: each metric for each set of dimensions.
func (d directive) read(root map[string]json.RawMessage, at time.Time) ([]Datum, error) {
	switch {
	case d.Namespace == nil || d.Dimensions == nil || d.Metrics == nil:
		return nil, errors.New("a directive has no Namespace, no Dimensions or no Metrics")
	case *d.Namespace == "" || utf8.RuneCountInString(*d.Namespace) > maxName || strings.HasPrefix(*d.Namespace, "AWS/"):
		return nil, fmt.Errorf("the Namespace %.300q is empty, too long or AWS's own", *d.Namespace)
	case len(*d.Dimensions) == 0:
		return nil, errors.New("a directive has no set of dimensions")
	case len(*d.Metrics) > maxMetrics:
		return nil, fmt.Errorf("a directive has %d metrics; the limit is %d", len(*d.Metrics), maxMetrics)
	}
	var sets [][]Dimension
	for _, names := range *d.Dimensions {
		set, err := dimensions(root, names)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	var data []Datum
	for _, m := range *d.Metrics {
		values, err := m.values(root)
		if err != nil {
			return nil, err
		}
		for _, set := range sets {
			for _, v := range values {
				data = append(data, Datum{Namespace: *d.Namespace, Name: *m.Name, Dimensions: set, Unit: *m.Unit, Value: v, Time: at, HighResolution: m.StorageResolution != nil && *m.StorageResolution == 1})
			}
		}
	}
	return data, nil
}

// dimensions looks up a set's dimensions at the root, within CloudWatch's limits.
func dimensions(root map[string]json.RawMessage, names []string) ([]Dimension, error) {
	if len(names) > maxDimensions {
		return nil, fmt.Errorf("a set has %d dimensions; the limit is %d", len(names), maxDimensions)
	}
	var set []Dimension
	for _, name := range names {
		var value string
		if name == "" || utf8.RuneCountInString(name) > maxDimension {
			return nil, fmt.Errorf("a dimension's name has %d characters", utf8.RuneCountInString(name))
		}
		if slices.ContainsFunc(set, func(d Dimension) bool { return d.Name == name }) {
			return nil, fmt.Errorf("the dimension %s is twice in a set", name)
		}
		if err := json.Unmarshal(root[name], &value); err != nil || string(root[name]) == "null" {
			return nil, fmt.Errorf("the dimension %s is no string at the root", name)
		}
		if value == "" || utf8.RuneCountInString(value) > maxValueText {
			return nil, fmt.Errorf("the value of the dimension %s has %d characters", name, utf8.RuneCountInString(value))
		}
		set = append(set, Dimension{name, value})
	}
	return set, nil
}

// values are the numbers to which a metric's definition refers. It also fills in the unit.
func (m *definition) values(root map[string]json.RawMessage) ([]float64, error) {
	if m.Name == nil || *m.Name == "" || utf8.RuneCountInString(*m.Name) > maxName {
		return nil, errors.New("a metric has no name, or one that is too long")
	}
	if m.Unit == nil {
		none := "None"
		m.Unit = &none
	}
	if !units[*m.Unit] {
		return nil, fmt.Errorf("the metric %s has the unit %q", *m.Name, *m.Unit)
	}
	if r := m.StorageResolution; r != nil && *r != 1 && *r != 60 {
		return nil, fmt.Errorf("the metric %s has the storage resolution %d", *m.Name, *r)
	}
	var values []*float64
	var one *float64
	switch target := root[*m.Name]; {
	case json.Unmarshal(target, &one) == nil && one != nil:
		values = []*float64{one}
	case json.Unmarshal(target, &values) == nil && len(values) > 0 && len(values) <= maxValues:
	default:
		return nil, fmt.Errorf("the metric %s is neither a number nor a list of 1 to %d numbers at the root", *m.Name, maxValues)
	}
	numbers := make([]float64, len(values))
	for i, v := range values {
		if v == nil || math.Abs(*v) > maxValue {
			return nil, fmt.Errorf("the metric %s has a value that CloudWatch does not take", *m.Name)
		}
		numbers[i] = *v
	}
	return numbers, nil
}
