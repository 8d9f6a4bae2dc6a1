package fault

import "time"

// Typical returns rules that delay each API call by what is typical on AWS, within a Region and over a connection that is
// already open. Typical, not promised: AWS promises no latency, and none of this is a measurement of
// your account. It is there so that what is slow on AWS, such as many calls one after the other, is slow here.
//
// Where the numbers come from:
//   - DynamoDB: "single-digit millisecond performance", AWS Database Blog, "Understanding Amazon DynamoDB latency". Reads
//     below writes, which wait for a second replica; a few times that at the 99th percentile.
//   - SQS: measured from a send to the start of a function 16 ms at the median, 105 ms at the 99th percentile, of which the
//     send is a part: bitesizedserverless.com, "Serverless Messaging: Latency Compared", 2022.
//   - SNS: the same page; Publish is a part of the 73 ms and 225 ms from a publish to a function.
//   - SSM and @connections: nobody seems to publish numbers. A decryption by KMS is a part of reading a secret; a post is
//     one more hop within API Gateway. Both are estimates.
func Typical() (rules []Rule) {
	const ms = time.Millisecond
	for _, t := range []struct {
		service  Service
		p50, p99 time.Duration
		actions  []string
	}{
		{DynamoDB, 3 * ms, 12 * ms, []string{"GetItem"}},
		{DynamoDB, 4 * ms, 18 * ms, []string{"Query", "BatchGetItem"}},
		{DynamoDB, 6 * ms, 20 * ms, []string{"PutItem", "UpdateItem", "DeleteItem"}},
		{SQS, 8 * ms, 50 * ms, []string{"SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch"}},
		{SNS, 20 * ms, 90 * ms, []string{"Publish"}},
		{SSM, 12 * ms, 60 * ms, []string{"GetParameter"}},
		{Connections, 10 * ms, 60 * ms, []string{"PostToConnection", "GetConnection", "DeleteConnection"}},
	} {
		for _, action := range t.actions {
			rules = append(rules, Rule{Service: t.service, Action: action, Latency: &Latency{t.p50, t.p99}})
		}
	}
	return rules
}
