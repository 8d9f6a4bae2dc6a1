package lambda

import (
	"testing"
	"time"
)

// BenchmarkInvoke measures a warm invocation's overhead beyond the function's own work.
func BenchmarkInvoke(b *testing.B) {
	p, f := benchPlatform(b)
	for b.Loop() {
		if _, err := p.Invoke(b.Context(), Request{Function: f.ARN, Payload: []byte(`{"a":1}`)}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkColdStart measures an invocation that starts an environment.
func BenchmarkColdStart(b *testing.B) {
	p, f := benchPlatform(b)
	for b.Loop() {
		result, err := p.Invoke(b.Context(), Request{Function: f.ARN, Payload: []byte(`{"a":1}`)})
		if err != nil || result.InitDuration == 0 {
			b.Fatal(err, result.InitDuration)
		}
		p.Kill(f.ARN)
		for p.Environments(f.ARN) > 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

func benchPlatform(b *testing.B) (*Platform, Function) {
	p, err := New(Options{Region: "eu-west-1", Account: "1", WorkDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.Close() })
	f, err := p.Create(Config{Name: "echo", Archive: archive, Timeout: 10 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	return p, f
}
