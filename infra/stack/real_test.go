//go:build !race

package stack

import (
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// TestProgram proves the whole program as `pulumi up` runs it: configuration, build, resources, outputs. It is left out
// under the race detector, since packing the functions would take minutes.
func TestProgram(t *testing.T) {
	t.Parallel()
	keys, err := merged("dev", loadProject(t), testSecret)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	var exported map[string]pulumi.Input
	err = pulumi.RunErr(func(ctx *pulumi.Context) error {
		defer func() { exported = ctx.GetCurrentExportMap() }()
		return Program("")(ctx)
	}, pulumi.WithMocks("heliograph", "dev", r), func(info *pulumi.RunInfo) {
		info.Config = map[string]string{}
		for key, value := range keys {
			info.Config[namespace+key] = value
		}
		info.ConfigSecretKeys = []string{namespace + "jwtSecret"}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"webSocketUrl", "httpUrl", "sendQueueUrl", "sendQueueArn", "deadLetterQueueUrl", "eventTopicArn", "tableName", "dashboardUrl", "region", "parameterPrefix",
		"userIdClaim", "jwtIssuer", "jwtAudience", "jwtAudienceClaim", "jwksUrl",
	} {
		if exported[name] == nil {
			t.Errorf("the program exports no %s", name)
		}
	}
	if len(exported) != 15 {
		t.Errorf("the program exports %d outputs, want 15", len(exported))
	}
	functions := 0
	for _, res := range r.resources {
		if res.kind != "aws:lambda/function:Function" {
			continue
		}
		functions++
		if path, _ := res.at("code").(string); path == "" {
			t.Errorf("%s has no code", res.name)
		} else if _, err := os.Stat(path); err != nil {
			t.Errorf("the code of %s: %v", res.name, err)
		}
	}
	if functions != len(heliograph.Functions()) {
		t.Errorf("the program declares %d functions, want %d", functions, len(heliograph.Functions()))
	}
}
