package published

import "testing"

// TestAllows proves which grants have an effect: one on another type of resource, or on an ARN where the action knows
// none, has not.
func TestAllows(t *testing.T) {
	t.Parallel()
	const (
		table  = "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}"
		stream = table + "/stream/${StreamLabel}"
		lines  = "arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}:log-stream:${LogStreamName}"
	)
	none, on := Action{}, func(form string) Action { return Action{Types: map[string]string{"it": form}} }
	for _, c := range []struct {
		action   Action
		resource string
		want     bool
	}{
		{none, "*", true},
		{none, "arn:aws:dynamodb:eu-west-1:1:table/t/stream/s", false},
		{on(table), "*", false}, // more than it needs
		{on(table), "arn:aws:dynamodb:eu-west-1:1:table/t", true},
		{on(table), "arn:aws:dynamodb:eu-west-1:1:table/t-*", true},
		{on(table), "arn:aws:dynamodb:eu-west-1:1:table/", false},
		{on(table), "arn:aws:dynamodb:eu-west-1:1:table/t/stream/s", false},
		{on(table), "arn:aws:sqs:eu-west-1:1:t", false},
		{on(stream), "arn:aws:dynamodb:eu-west-1:1:table/t/stream/s", true},
		{on(stream), "arn:aws:dynamodb:eu-west-1:1:table/t/*", true},
		{on(stream), "arn:aws:dynamodb:eu-west-1:1:table/t", false},
		{on(lines), "arn:aws:logs:eu-west-1:1:log-group:/aws/lambda/f:*", true},
		{on(lines), "arn:aws:logs:eu-west-1:1:log-group:/aws/lambda/f", false},
	} {
		if got := c.action.Allows(c.resource); got != c.want {
			t.Errorf("a grant on %s where the types are %v has an effect: %v, want %v", c.resource, c.action.Types, got, c.want)
		}
	}
}
