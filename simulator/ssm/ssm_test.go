package ssm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph/simulator/ssm"
	"heliograph/simulator/wire"
	"heliograph/simulator/wire/wiretest"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)

func newServer() *ssm.Server {
	return ssm.New(ssm.Options{Region: "eu-west-1", Account: "123456789012", Now: func() time.Time { return start }})
}

// serve returns the SDK's client for a server, and the calls that the server receives.
func serve(t *testing.T, s *ssm.Server) (*awsssm.Client, *[]wire.Call) {
	t.Helper()
	var calls []wire.Call
	cfg := wiretest.Serve(t, s.Service(), wire.Options{Before: func(_ context.Context, c wire.Call) error {
		calls = append(calls, c)
		return nil
	}})
	return awsssm.NewFromConfig(cfg), &calls
}

var wantCode = wiretest.WantCode

func mustPut(t testing.TB, s *ssm.Server, p ssm.Parameter) {
	t.Helper()
	if p.Type == "" {
		p.Type = ssm.String
	}
	if p.Value == "" {
		p.Value = "x"
	}
	if _, err := s.Put(p, true); err != nil {
		t.Fatal(err)
	}
}

var ignore = cmpopts.IgnoreUnexported(types.Parameter{}, types.ParameterMetadata{})

func parameter(name, kind, value string, version int64) types.Parameter {
	return types.Parameter{
		Name: &name, Type: types.ParameterType(kind), Value: &value, Version: version, LastModifiedDate: &start,
		ARN: aws.String("arn:aws:ssm:eu-west-1:123456789012:parameter/" + strings.TrimPrefix(name, "/")), DataType: aws.String("text"),
	}
}

// TestSDKVersions proves that a parameter is made once and overwritten on request, and that each version can be read.
func TestSDKVersions(t *testing.T) {
	t.Parallel()
	client, _ := serve(t, newServer())
	ctx := t.Context()
	put := func(value string, kind types.ParameterType, overwrite bool) (int64, error) {
		out, err := client.PutParameter(ctx, &awsssm.PutParameterInput{Name: aws.String("/a/b"), Value: &value, Type: kind, Overwrite: &overwrite})
		if err != nil {
			return 0, err
		}
		return out.Version, nil
	}
	_, err := put("one", "", false)
	wantCode(t, err, "ValidationException") // a new one needs a type
	if version, err := put("one", "String", false); version != 1 || err != nil {
		t.Errorf("version %d, %v", version, err)
	}
	_, err = put("two", "String", false)
	if _, ok := errors.AsType[*types.ParameterAlreadyExists](err); !ok {
		t.Errorf("made twice: %v", err)
	}
	if version, err := put("two", "", true); version != 2 || err != nil {
		t.Errorf("version %d, %v", version, err)
	}
	_, err = put("three", "SecureString", true)
	wantCode(t, err, "HierarchyTypeMismatchException")

	get := func(name string) (types.Parameter, error) {
		out, err := client.GetParameter(ctx, &awsssm.GetParameterInput{Name: &name})
		if err != nil {
			return types.Parameter{}, err
		}
		return *out.Parameter, nil
	}
	first := parameter("/a/b", "String", "one", 1)
	first.Selector = aws.String(":1")
	for name, want := range map[string]types.Parameter{
		"/a/b": parameter("/a/b", "String", "two", 2), "/a/b:1": first,
		"arn:aws:ssm:eu-west-1:123456789012:parameter/a/b": parameter("/a/b", "String", "two", 2),
	} {
		got, err := get(name)
		if diff := cmp.Diff(want, got, ignore); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	_, err = get("/a/b:3")
	wantCode(t, err, "ParameterVersionNotFound")
	_, err = get("/a")
	if _, ok := errors.AsType[*types.ParameterNotFound](err); !ok {
		t.Errorf("found what is not there: %v", err)
	}
	_, err = client.DeleteParameter(ctx, &awsssm.DeleteParameterInput{Name: aws.String("/a/b")})
	wantCode(t, err, "")
	_, err = client.DeleteParameter(ctx, &awsssm.DeleteParameterInput{Name: aws.String("/a/b")})
	wantCode(t, err, "ParameterNotFound")
	if version, err := put("again", "SecureString", false); version != 1 || err != nil {
		t.Errorf("after it was deleted: version %d, %v", version, err)
	}
}

// TestSDKSecureString proves that a secret's value is shown only on a request for decryption.
func TestSDKSecureString(t *testing.T) {
	t.Parallel()
	s := newServer()
	client, _ := serve(t, s)
	ctx := t.Context()
	const secret = "correct horse battery staple"
	mustPut(t, s, ssm.Parameter{Name: "/secret", Type: ssm.SecureString, Value: secret})
	one := func(decrypt *bool) string {
		out, err := client.GetParameter(ctx, &awsssm.GetParameterInput{Name: aws.String("/secret"), WithDecryption: decrypt})
		if err != nil {
			t.Fatal(err)
		}
		return *out.Parameter.Value
	}
	if got := one(aws.Bool(true)); got != secret {
		t.Errorf("in clear: %q", got)
	}
	hidden := one(nil)
	if strings.Contains(hidden, "horse") || !strings.HasPrefix(hidden, "AQICAH") || one(aws.Bool(false)) != hidden {
		t.Errorf("hidden: %q", hidden)
	}
	many, err := client.GetParameters(ctx, &awsssm.GetParametersInput{Names: []string{"/secret"}})
	if err != nil || *many.Parameters[0].Value != hidden {
		t.Errorf("GetParameters: %v, %v", many, err)
	}
	path, err := client.GetParametersByPath(ctx, &awsssm.GetParametersByPathInput{Path: aws.String("/"), WithDecryption: aws.Bool(true)})
	if err != nil || *path.Parameters[0].Value != secret {
		t.Errorf("GetParametersByPath: %v, %v", path, err)
	}
	mustPut(t, s, ssm.Parameter{Name: "/secret", Type: ssm.SecureString, Value: secret})
	if one(nil) == hidden {
		t.Error("two versions of the same value look the same")
	}
}

// withTree is a server with parameters inside and outside a hierarchy, and a client for it.
func withTree(t *testing.T) (*awsssm.Client, *[]wire.Call) {
	t.Helper()
	s := newServer()
	mustPut(t, s, ssm.Parameter{Name: "plain", Description: "what it is"})
	mustPut(t, s, ssm.Parameter{Name: "/p/a"})
	mustPut(t, s, ssm.Parameter{Name: "/p/b", Type: ssm.SecureString, KeyID: "alias/mine"})
	mustPut(t, s, ssm.Parameter{Name: "/p/c/d"})
	mustPut(t, s, ssm.Parameter{Name: "/pq"})
	return serve(t, s)
}

const arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/"

func TestSDKGetParameters(t *testing.T) {
	t.Parallel()
	client, calls := withTree(t)
	ctx := t.Context()
	got, err := client.GetParameters(ctx, &awsssm.GetParametersInput{Names: []string{"plain", "/nobody", "/p/a:1", "/p/a:2"}})
	if err != nil {
		t.Fatal(err)
	}
	selected := parameter("/p/a", "String", "x", 1)
	selected.Selector = aws.String(":1")
	if diff := cmp.Diff([]types.Parameter{parameter("plain", "String", "x", 1), selected}, got.Parameters, ignore); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"/nobody", "/p/a:2"}, got.InvalidParameters); diff != "" {
		t.Error(diff)
	}
	wantCall := wire.Call{
		Service: "ssm", Action: "GetParameters", Permission: "ssm:GetParameters", AccessKey: "AKIDEXAMPLE", Region: "eu-west-1",
		Resources: []string{arn + "plain", arn + "nobody", arn + "p/a", arn + "p/a"},
	}
	if diff := cmp.Diff([]wire.Call{wantCall}, *calls); diff != "" {
		t.Error(diff)
	}
	for _, names := range [][]string{{"/p/a", "/p/a"}, make([]string, 11), {}} {
		_, err = client.GetParameters(ctx, &awsssm.GetParametersInput{Names: names})
		wantCode(t, err, "ValidationException")
	}
}

func TestSDKByPath(t *testing.T) {
	t.Parallel()
	client, _ := withTree(t)
	ctx := t.Context()
	byPath := func(path string, recursive bool) (pages [][]string) {
		pager := awsssm.NewGetParametersByPathPaginator(client, &awsssm.GetParametersByPathInput{Path: &path, Recursive: &recursive, MaxResults: aws.Int32(2)})
		for pager.HasMorePages() {
			page, err := pager.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, p := range page.Parameters {
				names = append(names, *p.Name)
			}
			pages = append(pages, names)
		}
		return pages
	}
	for _, tt := range []struct {
		path      string
		recursive bool
		want      [][]string
	}{
		{"/p", false, [][]string{{"/p/a", "/p/b"}}},
		{"/p/", true, [][]string{{"/p/a", "/p/b"}, {"/p/c/d"}}},
		{"/", false, [][]string{{"/pq"}}},
		{"/nobody", true, [][]string{nil}},
	} {
		if diff := cmp.Diff(tt.want, byPath(tt.path, tt.recursive)); diff != "" {
			t.Errorf("%s: %s", tt.path, diff)
		}
	}
	for _, in := range []*awsssm.GetParametersByPathInput{
		{Path: aws.String("p")}, {Path: aws.String("/p"), MaxResults: aws.Int32(11)}, {Path: aws.String("/p"), MaxResults: aws.Int32(0)},
	} {
		_, err := client.GetParametersByPath(ctx, in)
		wantCode(t, err, "ValidationException")
	}
}

func TestSDKDescribe(t *testing.T) {
	t.Parallel()
	client, _ := withTree(t)
	described, err := client.DescribeParameters(t.Context(), &awsssm.DescribeParametersInput{})
	if err != nil {
		t.Fatal(err)
	}
	metadata := func(name, kind string) types.ParameterMetadata {
		return types.ParameterMetadata{
			Name: &name, ARN: aws.String(arn + strings.TrimPrefix(name, "/")), Type: types.ParameterType(kind),
			LastModifiedDate: &start, Version: 1, Tier: "Standard", DataType: aws.String("text"),
		}
	}
	want := []types.ParameterMetadata{
		metadata("/p/a", "String"), metadata("/p/b", "SecureString"), metadata("/p/c/d", "String"), metadata("/pq", "String"), metadata("plain", "String"),
	}
	want[1].KeyId, want[4].Description = aws.String("alias/mine"), aws.String("what it is")
	if diff := cmp.Diff(want, described.Parameters, ignore); diff != "" {
		t.Error(diff)
	}
	_, err = client.DescribeParameters(t.Context(), &awsssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Name")}}})
	wantCode(t, err, "ValidationException") // reported, not ignored
}

// TestRules proves which parameters are accepted.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p    ssm.Parameter
		want string
	}{
		{ssm.Parameter{Name: "/A-z_0.9/b"}, ""},
		{ssm.Parameter{Name: ""}, "ValidationException"},
		{ssm.Parameter{Name: "a b"}, "ValidationException"},
		{ssm.Parameter{Name: "a/b"}, "ValidationException"},
		{ssm.Parameter{Name: "/a//b"}, "ValidationException"},
		{ssm.Parameter{Name: "/a/"}, "ValidationException"},
		{ssm.Parameter{Name: "/aWs/b"}, "ValidationException"},
		{ssm.Parameter{Name: "ssmx"}, "ValidationException"},
		{ssm.Parameter{Name: strings.Repeat("/a", 15)}, ""},
		{ssm.Parameter{Name: strings.Repeat("/a", 16)}, "HierarchyLevelLimitExceededException"},
		{ssm.Parameter{Name: strings.Repeat("x", 1012)}, "ValidationException"},
		{ssm.Parameter{Name: "a", Type: "StringList"}, "UnsupportedParameterType"},
		{ssm.Parameter{Name: "a", Value: strings.Repeat("x", 4096)}, ""},
		{ssm.Parameter{Name: "a", Value: strings.Repeat("x", 4097)}, "ValidationException"},
		{ssm.Parameter{Name: "a", Value: "\xff"}, "ValidationException"},
		{ssm.Parameter{Name: "a", Description: strings.Repeat("x", 1025)}, "ValidationException"},
		{ssm.Parameter{Name: "a", KeyID: "alias/mine"}, "ValidationException"},
	} {
		if tt.p.Type == "" {
			tt.p.Type = ssm.String
		}
		if tt.p.Value == "" {
			tt.p.Value = "x"
		}
		s := newServer()
		_, err := s.Put(tt.p, false)
		wantCode(t, err, tt.want)
		if got := len(s.Parameters()) == 1; got != (tt.want == "") {
			t.Errorf("%q is there: %v", tt.p.Name, got)
		}
	}
	_, err := newServer().Put(ssm.Parameter{Name: "a", Type: ssm.String}, false)
	wantCode(t, err, "ValidationException") // no value

	client, _ := serve(t, newServer())
	for _, in := range []*awsssm.PutParameterInput{{Tier: "Advanced"}, {DataType: aws.String("aws:ec2:image")}} {
		in.Name, in.Value, in.Type = aws.String("a"), aws.String("x"), "String"
		_, err := client.PutParameter(t.Context(), in)
		wantCode(t, err, "ValidationException")
	}
}

// TestHistory proves that a hundred versions are kept.
func TestHistory(t *testing.T) {
	t.Parallel()
	s := newServer()
	for i := range 101 {
		mustPut(t, s, ssm.Parameter{Name: "a", Value: fmt.Sprint("v", i+1)})
	}
	for name, want := range map[string]string{"a": "v101", "a:101": "v101", "a:2": "v2"} {
		if p, err := s.Get(name); p.Value != want || err != nil {
			t.Errorf("%s is %q, %v", name, p.Value, err)
		}
	}
	_, err := s.Get("a:1")
	wantCode(t, err, "ParameterVersionNotFound")
}
