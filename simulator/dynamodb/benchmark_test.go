package dynamodb_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// The target is 0.3 ms at p50, through the SDK and HTTP.

// median runs a call as often as the benchmark asks for, and reports the median.
func median(b *testing.B, call func() error) {
	b.Helper()
	var times []time.Duration
	for b.Loop() {
		begun := time.Now()
		if err := call(); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(begun))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
}

// connection is an item as Heliograph stores connections, of some 300 bytes.
func connection() item {
	return with(key("user#1234", "conn#L0SM9cOFvHcCIhw="), item{
		"gpk": s("lease#7"), "gsk": s("1767323045#L0SM9cOFvHcCIhw="), "connectedAt": n("1767323045678"), "expires": n("2016239022"),
		"ip": s("203.0.113.7"), "userAgent": s("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"), "ttl": n("1767330245"),
	})
}

func BenchmarkPutItem(b *testing.B) {
	f := setUp(b)
	in := &api.PutItemInput{TableName: aws.String("things"), Item: connection()}
	median(b, func() error {
		_, err := f.PutItem(b.Context(), in)
		return err
	})
}

func BenchmarkGetItem(b *testing.B) {
	f := setUp(b)
	f.put(b, connection())
	in := &api.GetItemInput{TableName: aws.String("things"), Key: key("user#1234", "conn#L0SM9cOFvHcCIhw=")}
	median(b, func() error {
		_, err := f.GetItem(b.Context(), in)
		return err
	})
}

func BenchmarkUpdateItem(b *testing.B) {
	f := setUp(b)
	in := change("SET #o = :t, epoch = if_not_exists(epoch, :now) + :one, gpk = :g, gsk = :u REMOVE #ttl",
		item{":t": s("yes"), ":now": n("41"), ":one": n("1"), ":g": s("online#1"), ":u": s("1")})
	in.ExpressionAttributeNames = map[string]string{"#o": "online", "#ttl": "ttl"}
	median(b, func() error {
		_, err := f.UpdateItem(b.Context(), in)
		return err
	})
}

func BenchmarkQuery(b *testing.B) {
	f := setUp(b)
	f.put(b, connection(), key("user#1234", "presence"))
	in := query("pk = :p", item{":p": s("user#1234")})
	median(b, func() error {
		_, err := f.Query(b.Context(), in)
		return err
	})
}
