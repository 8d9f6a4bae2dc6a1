package stack

import (
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// Outputs mirrors heliograph.Outputs, field by field, before the values are known.
type Outputs struct {
	WebSocketURL, HTTPURL            pulumi.StringOutput
	SendQueueURL, DeadLetterQueueURL pulumi.StringOutput
	SendQueueARN                     pulumi.StringOutput
	EventTopicARN                    pulumi.StringOutput
	TableName                        pulumi.StringOutput
	DashboardURL                     pulumi.StringOutput
	Region                           pulumi.StringOutput
	ParameterPrefix                  pulumi.StringOutput
	UserIDClaim                      pulumi.StringOutput
	JWTIssuer, JWTAudience, JWKSURL  pulumi.StringOutput
	JWTAudienceClaim                 pulumi.StringOutput
}

// demand adds what the stack demands of tokens, for whoever makes some.
func (o *Outputs) demand(c Config) *Outputs {
	o.UserIDClaim = pulumi.String(c.UserIDClaim).ToStringOutput()
	o.JWTIssuer = pulumi.String(c.JWTIssuer).ToStringOutput()
	o.JWTAudience = pulumi.String(c.JWTAudience).ToStringOutput()
	o.JWTAudienceClaim = pulumi.String(c.JWTAudienceClaim).ToStringOutput()
	o.JWKSURL = pulumi.String(c.JWKSURL).ToStringOutput()
	return o
}

// Await calls done with all outputs' plain values by name (`webSocketUrl`, `httpUrl`, …) once they are known.
// pulumi.RunErr waits for that call. If a value stays unknown, as in a preview, done is never called.
func (o *Outputs) Await(done func(map[string]string)) {
	inputs := pulumi.StringMap{}
	for name, value := range o.byName() {
		inputs[name] = value
	}
	inputs.ToStringMapOutput().ApplyT(func(values map[string]string) map[string]string {
		done(values)
		return values
	})
}

// byName returns the outputs under the JSON names of heliograph.Outputs' fields.
func (o *Outputs) byName() map[string]pulumi.StringOutput {
	all, fields := map[string]pulumi.StringOutput{}, reflect.ValueOf(*o)
	for _, named := range reflect.VisibleFields(reflect.TypeFor[heliograph.Outputs]()) {
		all[named.Tag.Get("json")] = fields.FieldByName(named.Name).Interface().(pulumi.StringOutput)
	}
	return all
}
