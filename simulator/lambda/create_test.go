package lambda

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heliograph/simulator/wire"
)

func TestCreateRefusesWhatLambdaRefuses(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{Concurrency: 200})
	create(t, p, "echo", func(c *Config) { c.Name = "taken" })
	file := func(content []byte) string {
		path := filepath.Join(t.TempDir(), "a.zip")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tt := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"taken name":          {func(c *Config) { c.Name = "taken" }, "ResourceConflictException: Function already exist: taken"},
		"bad name":            {func(c *Config) { c.Name = "a.b" }, "the function name"},
		"half a second":       {func(c *Config) { c.Timeout = 500 * time.Millisecond }, "the time-out"},
		"over 15 minutes":     {func(c *Config) { c.Timeout = 901 * time.Second }, "the time-out"},
		"little memory":       {func(c *Config) { c.MemorySize = 64 }, "the memory size"},
		"reserved variable":   {func(c *Config) { c.Environment = map[string]string{"AWS_REGION": "x"} }, "Reserved keys used in this request: AWS_REGION"},
		"odd variable":        {func(c *Config) { c.Environment = map[string]string{"1A": "x"} }, `the environment variable "1A"`},
		"large environment":   {func(c *Config) { c.Environment = map[string]string{"AB": strings.Repeat("x", 4095)} }, "exceeded the 4KB limit"},
		"too much reserved":   {func(c *Config) { c.ReservedConcurrency = new(101) }, "below its minimum value of [100]"},
		"no archive":          {func(c *Config) { c.Archive = "nowhere.zip" }, "no such file"},
		"no zip file":         {func(c *Config) { c.Archive = file([]byte("zip")) }, "not a valid zip file"},
		"no bootstrap":        {func(c *Config) { c.Archive = file(zipped(0o755, map[string][]byte{"main": nil})) }, "no file named bootstrap"},
		"not executable":      {func(c *Config) { c.Archive = file(zipped(0o644, map[string][]byte{"bootstrap": nil})) }, "not executable"},
		"path out of archive": {func(c *Config) { c.Archive = file(zipped(0o755, map[string][]byte{"../bootstrap": nil})) }, "leaves the archive"},
		"symbolic link": {func(c *Config) {
			c.Archive = file(zipped(os.ModeSymlink|0o755, map[string][]byte{"bootstrap": []byte("/bin/true")}))
		}, "only files and folders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Config{Name: "new", Archive: archive}
			tt.change(&c)
			_, err := p.Create(c)
			var failure *wire.Error
			if !errors.As(err, &failure) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the error is %v, want %q in it", err, tt.says)
			}
		})
	}
}

func TestCreateFillsInWhatLambdaFillsIn(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{})
	f, err := p.Create(Config{Name: "f", Archive: archive})
	if err != nil {
		t.Fatal(err)
	}
	if f.Timeout != 3*time.Second || f.MemorySize != 128 || f.LogGroup != "/aws/lambda/f" || len(f.CodeSHA256) != 44 || f.CodeSize == 0 {
		t.Errorf("the function is %+v", f)
	}
	if f.ARN != "arn:aws:lambda:eu-west-1:000000000000:function:f" ||
		f.InvokeARN != "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:000000000000:function:f/invocations" {
		t.Errorf("the ARNs are %s and %s", f.ARN, f.InvokeARN)
	}
	if again, ok := p.Function("f"); !ok || again.ARN != f.ARN || len(p.Functions()) != 1 {
		t.Errorf("the function is found as %+v among %d", again, len(p.Functions()))
	}
}

func TestAProgramOfAnotherMachineIsNoHang(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{})
	path := filepath.Join(t.TempDir(), "a.zip")
	if err := os.WriteFile(path, zipped(0o755, map[string][]byte{"bootstrap": []byte("\x7fELF for another machine")}), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := p.Create(Config{Name: "foreign", Archive: path})
	if err != nil {
		t.Fatal(err)
	}
	result := invoke(t, p, f, `{}`)
	if !strings.Contains(string(result.Payload), "Runtime.InvalidEntrypoint") || !strings.Contains(string(result.Payload), "exec format error") {
		t.Errorf("the answer is %s", result.Payload)
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{})
	f := create(t, p, "echo")
	const api = "arn:aws:execute-api:eu-west-1:000000000000:abc"
	if err := p.AddPermission(Permission{
		StatementID: "api", Function: string(f.Name), Action: "lambda:InvokeFunction", Principal: "apigateway.amazonaws.com",
		SourceARN: api + "/*/$connect",
	}); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]bool{
		api + "/local/$connect":    true,
		api + "/local/$disconnect": false,
		api + "x/local/$connect":   false,
		"":                         false,
	} {
		if got := p.Permitted(f.ARN, "apigateway.amazonaws.com", source); got != want {
			t.Errorf("%q: %v", source, got)
		}
	}
	if p.Permitted(f.ARN, "events.amazonaws.com", api+"/local/$connect") {
		t.Error("another principal may call")
	}
	var failure *wire.Error
	if err := p.AddPermission(Permission{StatementID: "api", Function: f.ARN, Action: "lambda:*", Principal: "x"}); !errors.As(err, &failure) || failure.Code != "ResourceConflictException" {
		t.Errorf("a second statement of the same id: %v", err)
	}
	if err := p.AddPermission(Permission{StatementID: "b", Function: f.ARN, Action: "lambda:GetFunction", Principal: "x"}); err == nil {
		t.Error("an action that the simulator does not know was taken")
	}
}

// TestUpdate proves that an update ends no event under way, that later events run the new code with the new environment
// only, and that the old processes are gone afterwards.
func TestUpdate(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{})
	f := create(t, p, "sleep")
	slow, idle := make(chan Result), invoke(t, p, f, `{}`)
	go func() {
		result, _ := p.Invoke(t.Context(), Request{Function: f.ARN, Payload: []byte(`{"Milliseconds":500}`)})
		slow <- result
	}()
	for p.inUse(f) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := p.Update(f.Name, archive, map[string]string{"BEHAVIOUR": "environ", "NEW": "yes"}); err != nil {
		t.Fatal(err)
	}
	if got := invoke(t, p, f, `{}`); !strings.Contains(string(got.Payload), `"NEW=yes"`) || got.InitDuration == 0 {
		t.Errorf("after the update the answer is %s", got.Payload)
	}
	if got := <-slow; got.FunctionError != "" || string(got.Payload) != string(idle.Payload) {
		t.Errorf("the event under way was answered %s %s, want %s", got.FunctionError, got.Payload, idle.Payload)
	}
	for late := time.Now().Add(10 * time.Second); len(p.all(nil)) > 1; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("there are %d processes, want the new one", len(p.all(nil)))
		}
	}
	if err := p.Update("nobody", archive, nil); err == nil || !strings.Contains(err.Error(), "Function not found") {
		t.Errorf("got %v", err)
	}
	if err := p.Update(f.Name, archive, map[string]string{"AWS_REGION": "x"}); err == nil {
		t.Error("a reserved variable was accepted")
	}
}

// inUse is how many events of a function are under way.
func (p *Platform) inUse(f Function) int {
	found, err := p.find(f.ARN)
	if err != nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return found.running
}
