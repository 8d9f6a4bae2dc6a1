package observability

import (
	"encoding/json"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"heliograph/observability/catalogue"
)

// The limits of CloudWatch's embedded metric format, from its specification
// (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
const (
	maxMetrics = 100       // of one directive
	maxValues  = 100       // of one metric in one line
	maxLine    = 256 << 10 // bytes of one log event, its own 26 included
	maxName    = 255       // bytes of a metric's name
)

// Our own bounds on properties, so that a line with one metric always fits.
const (
	maxProperties    = 32
	maxPropertyBytes = 1024
)

// maxValue is the largest magnitude that CloudWatch takes: 2^360.
var maxValue = math.Ldexp(1, 360)

// representable reports whether CloudWatch takes the value. NaN and infinities would make the whole line
// invalid JSON.
func representable(v float64) bool { return math.Abs(v) <= maxValue }

// printable is a value as a log line can hold it: JSON has no NaN.
func printable(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// series is the values of one metric that one invocation added.
type series struct {
	catalogue.Metric // what it is of; the rest is its declaration, at hand for the encoder

	name        string
	unit        catalogue.Unit
	kind        catalogue.Kind
	perFunction bool
	everySecond bool
	values      []float64
}

func newSeries(m catalogue.Metric, v ...float64) series {
	return series{m, m.Name(), m.Unit(), m.Kind(), m.PerFunction(), m.HighResolution(), v}
}

// add adds a value, or gives the reason why it can't.
func (s *series) add(v float64) string {
	switch s.kind {
	case catalogue.Counter:
		if !representable(s.values[0] + v) {
			return "the sum would exceed 2^360"
		}
		s.values[0] += v
	case catalogue.Gauge:
		s.values[0] = v
	case catalogue.Observation:
		s.values = append(s.values, v)
	}
	return ""
}

// property is an id at the root of a metric line.
type property struct{ key, value string }

// newProperty makes key and value fit: no key that means something else on a metric or log line, no
// value without end, no user id in the clear.
func newProperty(key, value string) property {
	value = strings.ToValidUTF8(guard(key, value), "\uFFFD")
	if len(value) > maxPropertyBytes {
		value = strings.ToValidUTF8(value[:maxPropertyBytes], "")
	}
	if len(key) > maxName {
		key = strings.ToValidUTF8(key[:maxName], "")
	}
	if _, metric := catalogue.Named(key); metric || reserved[key] {
		key = "property_" + key
	}
	return property{key, value}
}

// reserved are the keys that metric and log lines use themselves. The embedded metric format takes
// root members by name, so a property called like a metric would become its value.
var reserved = map[string]bool{
	"": true, "_aws": true, catalogue.DimensionStage: true, catalogue.DimensionFunction: true,
	"timestamp": true, "time": true, "level": true, "message": true, "msg": true, "error": true,
	"requestId": true, "traceId": true, "correlationId": true, "coldStart": true,
}

// page is what the metric lines of one flush have in common.
type page struct {
	at              time.Time
	stage, function string
	properties      []property
}

// buffers are kept from one line to the next: most invocations write one.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// write writes the metric lines that hold all values, each within the format's limits: mostly one.
func (p page) write(out io.Writer, all []series) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	within := len(all) <= maxMetrics
	for _, s := range all {
		within = within && len(s.values) <= maxValues
	}
	if !within {
		p.writeParts(out, buffer, all)
	} else if len(all) > 0 {
		p.split(out, buffer, all)
	}
}

// writeParts writes as many values of each metric as a line may hold, and so on.
func (p page) writeParts(out io.Writer, buffer *[]byte, all []series) {
	for len(all) > 0 {
		var rest []series
		fits := make([]series, len(all))
		for i, s := range all {
			n := min(len(s.values), maxValues)
			fits[i], fits[i].values = s, s.values[:n]
			if n < len(s.values) {
				s.values = s.values[n:]
				rest = append(rest, s)
			}
		}
		p.split(out, buffer, fits)
		all = rest
	}
}

// split halves the metrics until a line holds them. One metric always fits.
func (p page) split(out io.Writer, buffer *[]byte, all []series) {
	if len(all) <= maxMetrics {
		*buffer = p.appendLine((*buffer)[:0], all)
		if len(*buffer) < maxLine-26 || len(all) == 1 {
			_, _ = out.Write(*buffer) // there is nowhere to report a closed stdout to
			return
		}
	}
	half := len(all) / 2
	p.split(out, buffer, all[:half])
	p.split(out, buffer, all[half:])
}

// appendLine appends one log event in the embedded metric format. It has no level: Lambda's JSON log format counts
// it as INFO, so the function's own log level must not drop it (see docs/metrics.md). Every byte of it is paid for with
// every invocation, so it repeats nothing that CloudWatch assumes, or that the log group's name says.
func (p page) appendLine(b []byte, all []series) []byte {
	b = append(b, `{"_aws":{"Timestamp":`...)
	b = strconv.AppendInt(b, p.at.UnixMilli(), 10)
	b = append(b, `,"CloudWatchMetrics":[`...)
	directives := len(b)
	for _, perFunction := range []bool{false, true} {
		b = appendDirective(b, all, perFunction, len(b) > directives)
	}
	b = append(b, `]}`...)
	b = appendMember(b, catalogue.DimensionStage, p.stage)
	if slices.ContainsFunc(all, func(s series) bool { return s.perFunction }) {
		b = appendMember(b, catalogue.DimensionFunction, p.function)
	}
	for _, s := range all {
		b = s.appendTo(b)
	}
	for _, property := range p.properties {
		b = appendMember(b, property.key, property.value)
	}
	return append(b, "}\n"...)
}

// appendDirective declares the metrics of one of the two dimension sets, if there are any.
func appendDirective(b []byte, all []series, perFunction, comma bool) []byte {
	before, n := len(b), 0
	if comma {
		b = append(b, ',')
	}
	b = append(b, `{"Namespace":"`+catalogue.Namespace+`","Dimensions":[["`...)
	b = append(b, catalogue.DimensionStage...)
	if perFunction {
		b = append(b, `","`+catalogue.DimensionFunction...)
	}
	b = append(b, `"]],"Metrics":[`...)
	for _, s := range all {
		if s.perFunction != perFunction {
			continue
		}
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"Name":"`...)
		b = append(b, s.name...)
		b = append(b, '"')
		if s.unit != catalogue.None { // which CloudWatch assumes
			b = append(b, `,"Unit":"`...)
			b = append(b, s.unit...)
			b = append(b, '"')
		}
		if s.everySecond {
			b = append(b, `,"StorageResolution":1`...)
		}
		b = append(b, '}')
		n++
	}
	if n == 0 {
		return b[:before]
	}
	return append(b, `]}`...)
}

// appendTo writes the metric's root member: a number, or an array of them.
func (s series) appendTo(b []byte) []byte {
	b = append(b, `,"`...)
	b = append(b, s.name...)
	b = append(b, `":`...)
	if len(s.values) == 1 {
		return appendNumber(b, s.values[0])
	}
	for i, v := range s.values {
		b = append(b, "[,"[min(i, 1)])
		b = appendNumber(b, v)
	}
	return append(b, ']')
}

func appendNumber(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

func appendMember(b []byte, key, value string) []byte {
	b = append(b, ',')
	b = appendString(b, key)
	b = append(b, ':')
	return appendString(b, value)
}

func appendString(b []byte, s string) []byte {
	if strings.ContainsFunc(s, needsQuoting) {
		quoted, _ := json.Marshal(s) // a string always marshals
		return append(b, quoted...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// needsQuoting reports whether JSON must escape r; characters of ids almost never need it.
func needsQuoting(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
