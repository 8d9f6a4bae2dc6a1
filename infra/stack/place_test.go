package stack

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// inNamed are the kinds of resources that are named within another one, which has a name of its own.
var inNamed = []string{"aws:iam/rolePolicy:RolePolicy", "aws:apigatewayv2/stage:Stage", "aws:route53/record:Record", "aws:apigatewayv2/authorizer:Authorizer"}

// everywhere are the kinds of resources whose names an account shares between all Regions.
var everywhere = []string{"aws:iam/role:Role", "aws:cloudwatch/dashboard:Dashboard"}

// claimed is each name in AWS that a stack claims: by kind of resource, and by Region unless all Regions share it.
func claimed(run recording, region string) (names []string) {
	for _, res := range run.byName {
		physical := res.text("name") + res.text("dashboardName")
		if physical == "" || slices.Contains(inNamed, res.kind) {
			continue
		}
		in := region
		if slices.Contains(everywhere, res.kind) {
			in = "all Regions"
		}
		names = append(names, res.kind+" "+physical+" in "+in)
	}
	return names
}

// TestStacksDoNotCollide proves that stacks of one account claim no name twice: two in a Region, one of the same name in
// another Region, and one of the same name from another state backend, told apart by its stage.
func TestStacksDoNotCollide(t *testing.T) {
	t.Parallel()
	stacks := []struct{ name, region, stage, prefix string }{
		{"dev", "eu-west-1", "", "/WebSocketAdapter/dev"},
		{"prod", "eu-west-1", "", "/WebSocketAdapter"},
		{"prod", "us-east-1", "", "/WebSocketAdapter"},
		{"dev", "eu-west-1", "theirs", "/WebSocketAdapter/theirs"},
	}
	owner := map[string]int{}
	for i, s := range stacks {
		config := testConfig(everything, func(c *Config) { c.Stage, c.ParameterPrefix = s.stage, s.prefix })
		run, err := recordOn(&recorder{region: s.region}, s.name, config, unbuilt())
		if err != nil {
			t.Fatal(err)
		}
		names := claimed(run, s.region)
		if len(names) < 50 {
			t.Errorf("%+v claims %d names: the test looks in the wrong place", s, len(names))
		}
		for _, name := range names {
			if other, taken := owner[name]; taken {
				t.Errorf("%+v and %+v both claim %s", stacks[other], s, name)
			}
			owner[name] = i
		}
	}
}

// TestPartitions proves that the program names nothing of another partition: in China and in GovCloud, ARNs have another
// beginning, and in China host names have another end.
func TestPartitions(t *testing.T) {
	t.Parallel()
	for partition, region := range map[string]string{"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"} {
		t.Run(partition, func(t *testing.T) {
			t.Parallel()
			r := &recorder{region: region, partition: partition}
			run, err := recordOn(r, testStage, testConfig(func(c *Config) { c.AlarmEmail, c.APIGatewayLogRole = "ops@example.com", createLogRole }), unbuilt())
			if err != nil {
				t.Fatal(err)
			}
			run.byName["outputs"] = recorded{}
			for name, res := range run.byName {
				text, err := json.Marshal(properties(res))
				if err != nil {
					t.Fatal(err)
				}
				if name == "outputs" {
					text, _ = json.Marshal(run.outputs)
				}
				for _, foreign := range foreignTo(string(text), r.home()) {
					t.Errorf("%s names %s, which is not in %s", name, foreign, partition)
				}
			}
		})
	}
}

// foreignTo finds ARNs and hosts of another partition in a text.
func foreignTo(text string, h home) (found []string) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(`" \\,[]{}<>()`, r) }) {
		if strings.HasPrefix(word, "arn:") && !strings.HasPrefix(word, "arn:"+h.partition+":") {
			found = append(found, word)
		}
		if _, rest, is := strings.Cut(word, h.region+"."); is && h.partition == "aws-cn" && strings.HasPrefix(rest, "amazonaws.com") && !strings.HasPrefix(rest, h.domain()) {
			found = append(found, word)
		}
	}
	return found
}
