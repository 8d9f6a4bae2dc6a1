package wire_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"heliograph/simulator/wire"
)

type (
	greetInput  struct{ Name string }
	greetOutput struct{ Greeting string }
)

// A service is a set of actions, made from typed functions; the endpoint does the rest.
func Example() {
	endpoint := wire.NewEndpoint(wire.Options{Before: func(_ context.Context, c wire.Call) error {
		fmt.Println(c.AccessKey, "needs", c.Permission, "on", c.Resources)
		return nil
	}})
	endpoint.Register(wire.Service{
		Name: "greeter", TargetPrefix: "Greeter", JSONVersion: "1.0",
		Actions: map[string]wire.Action{
			"Greet": wire.Do(
				func(_ context.Context, in *greetInput) (*greetOutput, error) {
					return &greetOutput{"Hello " + in.Name}, nil
				},
				func(in *greetInput) []string { return []string{"arn:aws:greeter:::" + in.Name} },
			),
		},
	})
	for _, body := range []string{`{"Name":"Ada"}`, `{"Nmae":"Ada"}`} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "Greeter.Greet")
		r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/greeter/aws4_request, SignedHeaders=host, Signature=abc")
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// AKIDEXAMPLE needs greeter:Greet on [arn:aws:greeter:::Ada]
	// 200 {"Greeting":"Hello Ada"}
	// 400 {"__type":"com.amazon.coral.service#SerializationException","message":"the input of Greet does not fit: there is no member Nmae here"}
}
