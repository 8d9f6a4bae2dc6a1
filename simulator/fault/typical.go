package fault

import "time"

// Typical returns rules that delay each API call by what is typical on AWS, within a Region and over an open
// connection. AWS promises no latency, and none of this is a measurement of your account. The rules make slow here what
// is slow on AWS, such as many sequential calls.
//
// Sources:
//   - DynamoDB: "single-digit millisecond performance", AWS Database Blog, "Understanding Amazon DynamoDB latency".
//     Reads are below writes, which wait for a second replica; the 99th percentile is a few times that.
//   - SQS: from a send to the start of a function, 16 ms at the median and 105 ms at the 99th percentile, which include
//     the send itself: bitesizedserverless.com, "Serverless Messaging: Latency Compared", 2022.
//   - SNS: the same page; Publish is a part of the 73 ms and 225 ms from a publish to a function.
//   - SSM and @connections: no published numbers were found. A decryption by KMS is a part of reading a secret; a post
//     is one more hop within API Gateway. Both are estimates.
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
