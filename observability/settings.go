package observability

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Settings are the environment variables that every function reads. Each function's environment struct
// embeds them.
type Settings struct {
	// Stage is the stack's name; the dimension Stage of every metric.
	Stage string `env:"STAGE,required,notEmpty"`
	// LogLevel is DEBUG, INFO, WARN or ERROR.
	LogLevel slog.Level `env:"LOG_LEVEL,required,notEmpty"`
	// TraceSampling is the share, 0 to 1, of the sampled invocations whose subsegments are recorded.
	TraceSampling float64 `env:"TRACE_SAMPLING,required,notEmpty"`
	// LogSampling is the share, 0 to 1, of the invocations whose lines below the level are written, too.
	LogSampling float64 `env:"LOG_SAMPLING,required,notEmpty"`
}

// Environment is a function's environment struct: any struct that embeds Settings.
type Environment interface{ settings() Settings }

func (s Settings) settings() Settings { return s }

// check finds what a type alone can't: a share outside of 0 to 1 would silently mean all or nothing.
func (s Settings) check() error {
	return errors.Join(checkShare("TRACE_SAMPLING", s.TraceSampling), checkShare("LOG_SAMPLING", s.LogSampling))
}

func checkShare(variable string, share float64) error {
	if share >= 0 && share <= 1 {
		return nil
	}
	return fmt.Errorf("environment variable %q: %v is not from 0 to 1", variable, share)
}

// parseEnvironment reads the variables that the struct Env declares. Its error names every variable
// that is missing or bad, never one at a time.
func parseEnvironment[Env Environment](variables map[string]string) (Env, error) {
	e, err := env.ParseAsWithOptions[Env](env.Options{Environment: variables})
	if err != nil {
		return e, variableErrors(reflect.TypeFor[Env](), err)
	}
	return e, e.settings().check()
}

// variableErrors turns the library's errors, which know a bad value by its field's name, into errors
// that name the variable, since that is what one can change.
func variableErrors(environment reflect.Type, err error) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	named := make([]error, len(all.Errors))
	for i, e := range all.Errors {
		named[i] = e
		var bad env.ParseError
		if errors.As(e, &bad) {
			named[i] = fmt.Errorf("environment variable %q: %w", variableOf(environment, bad.Name), bad.Err)
		}
	}
	return errors.New(strings.ReplaceAll(errors.Join(named...).Error(), "\n", "; "))
}

// variableOf is the name of the variable that fills a field.
func variableOf(environment reflect.Type, field string) string {
	f, ok := environment.FieldByName(field)
	if !ok {
		return field
	}
	name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
	return name
}
