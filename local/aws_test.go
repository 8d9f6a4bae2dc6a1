package local

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph"
)

// TestLargeAnswers proves that no large response of a server on the same machine is lost. With the SDK's own client,
// about ten of these calls fail.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	answer := `{"Messages":[{"MessageId":"1","Body":"` + strings.Repeat("x", 131<<10) + `"}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	client := awssqs.New(awssqs.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1, DisableMessageChecksumValidation: true,
		HTTPClient: loopbackClient{server.Client()}, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
	for range 2000 {
		if _, err := client.ReceiveMessage(context.Background(), &awssqs.ReceiveMessageInput{QueueUrl: aws.String(server.URL + "/queue")}); err != nil {
			t.Fatal(err)
		}
	}
}

// sdkVariables returns the environment variables that configure the AWS SDK. They are read from its source, so that
// those of a newer SDK are included.
func sdkVariables(t *testing.T) []string {
	t.Helper()
	folder, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/config").Output()
	if err != nil {
		t.Fatalf("find the SDK's source: %v", err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(folder)), "env_config.go"))
	if err != nil {
		t.Fatal(err)
	}
	seen, names := map[string]bool{}, []string{"AWS_ENDPOINT_URL_SQS"} // one per service, not spelled out there
	for _, quoted := range regexp.MustCompile(`"AWS_[A-Z0-9_]+"`).FindAllString(string(source), -1) {
		if name := strings.Trim(quoted, `"`); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	if len(names) < 30 {
		t.Fatalf("only %d variables found: %v", len(names), names)
	}
	return names
}

// TestSurroundings proves that nothing in a developer's AWS configuration reaches a call to a local stack: each
// variable that the SDK reads is set to a value that would lead elsewhere or fail, alone and all together, along with a
// ~/.aws that does the same.
func TestSurroundings(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	const profile = "[default]\nregion = mars-1\nendpoint_url = http://127.0.0.1:1\nmax_attempts = many\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = gone\n"
	for _, name := range []string{"config", "credentials"} {
		if err := os.WriteFile(filepath.Join(home, ".aws", name), []byte(profile), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names := sdkVariables(t)
	for _, name := range names {
		t.Setenv(name, "")
		_ = os.Unsetenv(name) // t.Setenv restores it when the test ends
	}
	t.Setenv("HOME", home)
	var signed string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed = r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	call := func(under string) {
		t.Helper()
		signed = ""
		cfg, err := Endpoints{AWSEndpointURL: server.URL, AccessKey: "LOCAL", Outputs: heliograph.Outputs{Region: "eu-west-1"}}.AWSConfig(t.Context())
		if err == nil {
			_, err = awssqs.NewFromConfig(cfg).ListQueues(t.Context(), nil)
		}
		if err != nil {
			t.Errorf("under %s: %v", under, err)
		} else if !strings.Contains(signed, "Credential=LOCAL/") || !strings.Contains(signed, "/eu-west-1/sqs/") {
			t.Errorf("under %s the call is signed as %q", under, signed)
		}
	}
	call("~/.aws alone")
	for _, name := range names {
		_ = os.Setenv(name, "nonsense")
		call(name)
		_ = os.Unsetenv(name)
	}
	for _, name := range names {
		_ = os.Setenv(name, "nonsense")
	}
	call("all variables")
}
