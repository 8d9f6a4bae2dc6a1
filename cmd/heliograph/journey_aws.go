package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/xray"

	"heliograph"
	"heliograph/local/journey"
)

// logsInsights is the part of CloudWatch Logs that a journey needs.
type logsInsights interface {
	StartQuery(context.Context, *cloudwatchlogs.StartQueryInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.StartQueryOutput, error)
	GetQueryResults(context.Context, *cloudwatchlogs.GetQueryResultsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetQueryResultsOutput, error)
}

// traceReader is the part of X-Ray that a journey needs.
type traceReader interface {
	GetTraceSummaries(context.Context, *xray.GetTraceSummariesInput, ...func(*xray.Options)) (*xray.GetTraceSummariesOutput, error)
	BatchGetTraces(context.Context, *xray.BatchGetTracesInput, ...func(*xray.Options)) (*xray.BatchGetTracesOutput, error)
}

// deployed reads the journey of a message in a deployed stack.
type deployed struct {
	logs     logsInsights
	traces   traceReader
	group    string // log group of the send function
	from, to time.Time
	every    time.Duration // interval for polling a query
}

func deployedJourney(ctx context.Context, t *target, id string, from, to time.Time) (journey.Journey, error) {
	d := deployed{
		logs: cloudwatchlogs.NewFromConfig(t.aws), traces: xray.NewFromConfig(t.aws),
		group: "/aws/lambda/" + t.TableName + "-" + heliograph.Send, from: from, to: to, every: time.Second,
	}
	return d.tell(ctx, id)
}

// tell follows the message's id and then the ids of its follow-ups, which only the log lines name.
func (d deployed) tell(ctx context.Context, id string) (journey.Journey, error) {
	if strings.ContainsAny(id, "\"\\\n") {
		return journey.Journey{}, fmt.Errorf("the id %q can't be searched for: it has quotes, backslashes or line breaks", id)
	}
	var lines []journey.Line
	traces := map[string]bool{}
	asked := map[string]bool{}
	for next := []string{id}; len(next) > 0; {
		for _, one := range next {
			asked[one] = true
		}
		found, err := d.lines(ctx, next)
		if err == nil {
			err = d.traceIDs(ctx, next, traces)
		}
		if err != nil {
			return journey.Journey{}, err
		}
		lines, next = append(lines, found...), nil
		for _, l := range found {
			traces[l.TraceID] = l.TraceID != ""
			for _, related := range append([]string{l.MessageID}, l.QueuedAs...) {
				if related != "" && !asked[related] && !slices.Contains(next, related) {
					next = append(next, related)
				}
			}
		}
	}
	segments, err := d.segments(ctx, traces)
	return journey.Tell(id, lines, segments, d.to), err
}

// anyOf returns a condition that matches a field against any of the ids.
func anyOf(field, join string, ids []string) string {
	conditions := make([]string, len(ids))
	for i, id := range ids {
		conditions[i] = fmt.Sprintf("%s = %q", field, id)
	}
	return strings.Join(conditions, join)
}

// lines queries Logs Insights for the lines about the given messages.
func (d deployed) lines(ctx context.Context, ids []string) ([]journey.Line, error) {
	query := "fields @message | filter " + anyOf("messageId", " or ", ids) + " or " + anyOf("id", " or ", ids) + " | sort @timestamp asc | limit 1000"
	started, err := d.logs.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
		LogGroupNames: []string{d.group}, QueryString: &query, StartTime: aws.Int64(d.from.Unix()), EndTime: aws.Int64(d.to.Unix()),
	})
	if err != nil {
		return nil, fmt.Errorf("search the log group %s: %w", d.group, err)
	}
	for {
		out, err := d.logs.GetQueryResults(ctx, &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId})
		if err != nil {
			return nil, fmt.Errorf("search the log group %s: %w", d.group, err)
		}
		switch out.Status {
		case logstypes.QueryStatusComplete:
			return readResults(out.Results), nil
		case logstypes.QueryStatusRunning, logstypes.QueryStatusScheduled:
		default:
			return nil, fmt.Errorf("search the log group %s: the query ended as %s", d.group, out.Status)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(d.every):
		}
	}
}

// readResults parses the log lines out of a query's results.
func readResults(results [][]logstypes.ResultField) []journey.Line {
	var lines []journey.Line
	for _, fields := range results {
		for _, f := range fields {
			if aws.ToString(f.Field) != "@message" {
				continue
			}
			if l, err := journey.ReadLine(aws.ToString(f.Value)); err == nil { // lines that don't parse are Lambda's own
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// traceIDs asks X-Ray for the traces of the given messages: one delivered at once leaves no log line.
func (d deployed) traceIDs(ctx context.Context, ids []string, to map[string]bool) error {
	filter := anyOf("annotation."+journey.AnnotationMessageID, " OR ", ids)
	pages := xray.NewGetTraceSummariesPaginator(d.traces, &xray.GetTraceSummariesInput{
		StartTime: &d.from, EndTime: &d.to, FilterExpression: &filter,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("search the traces: %w", err)
		}
		for _, summary := range page.TraceSummaries {
			to[aws.ToString(summary.Id)] = true
		}
	}
	return nil
}

// batch is the most traces that BatchGetTraces returns per call.
const batch = 5

// segments reads all segments of the wanted traces. One that can't be parsed makes an error, but hides no other.
func (d deployed) segments(ctx context.Context, traces map[string]bool) ([]journey.Segment, error) {
	var ids []string
	for id, wanted := range traces {
		if wanted {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var segments []journey.Segment
	var errs []error
	for some := range slices.Chunk(ids, batch) {
		out, err := d.traces.BatchGetTraces(ctx, &xray.BatchGetTracesInput{TraceIds: some})
		if err != nil {
			return nil, fmt.Errorf("read the traces: %w", err)
		}
		for _, t := range out.Traces {
			for _, s := range t.Segments {
				segment, err := journey.ReadSegment(aws.ToString(s.Document))
				errs = append(errs, err)
				segments = append(segments, segment)
			}
		}
	}
	return segments, errors.Join(errs...)
}
