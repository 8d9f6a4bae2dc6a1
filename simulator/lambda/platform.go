package lambda

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"heliograph/simulator/private"
	"heliograph/simulator/wire"
)

// Platform holds the functions and runs them. It is safe for concurrent use.
type Platform struct {
	options  Options
	code     string // holds the unpacked archives
	temp     string // holds the environments' temporary folders
	listener net.Listener
	server   *http.Server
	forks    *forker

	// ending is done when the Platform closes, which cuts pauses and waits short.
	ending context.Context
	end    context.CancelFunc
	// work counts the goroutines of invocations, events and environments.
	work sync.WaitGroup

	mu           sync.Mutex
	functions    map[FunctionName]*function
	environments map[string]*environment // by the token in their Runtime API path
	reserved     int                     // the sum of all reserved concurrencies
	running      int                     // invocations of functions without reserved concurrency
	closed       bool
}

// function is a created function with its environments. Platform.mu guards its mutable fields.
type function struct {
	Function
	code string // the folder of the unpacked archive

	idle    []*environment // warm ones, the longest unused first
	alive   int            // environments that exist or are being started
	waiting []chan *environment
	running int  // invocations under way
	retired bool // Update has put another in its place
	events  EventInvokeConfig
	policy  []Permission

	lastDuration time.Duration // of the latest successful invocation
}

// New returns a Platform that listens on loopback for its functions' Runtime API calls.
func New(o Options) (*Platform, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Platform{options: o, functions: map[FunctionName]*function{}, environments: map[string]*environment{}}
	if err := p.open(); err != nil {
		return nil, errors.Join(err, p.removeFolders())
	}
	p.forks = newForker()
	p.ending, p.end = context.WithCancel(context.Background())
	p.server = &http.Server{Handler: http.HandlerFunc(p.serveRuntime)}
	go func() { _ = p.server.Serve(p.listener) }()
	return p, nil
}

// open makes the folders and listens.
func (p *Platform) open() error {
	err := removeLeftovers(p.options.WorkDir)
	if err == nil {
		p.code, err = makeTemp(p.options.WorkDir, "code")
	}
	if err == nil {
		p.temp, err = makeTemp(p.options.WorkDir, "environments")
	}
	if err != nil {
		return fmt.Errorf("making the functions' folders: %w", err)
	}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("listening for the Runtime API: %w", err)
	}
	return nil
}

func (p *Platform) removeFolders() error {
	return errors.Join(os.RemoveAll(p.code), os.RemoveAll(p.temp)) // an empty path is no folder, and no error
}

func (o Options) withDefaults() (Options, error) {
	if o.Region == "" || o.Account == "" || o.WorkDir == "" {
		return o, errors.New("lambda: Region, Account and WorkDir are required")
	}
	if o.Freeze && !canFreeze {
		return o, errors.New("lambda: Freeze needs an operating system that can stop processes, such as Linux or macOS")
	}
	dir, err := filepath.Abs(o.WorkDir)
	if err != nil {
		return o, fmt.Errorf("finding the work folder: %w", err)
	}
	o.WorkDir = dir
	setDefault(&o.Concurrency, 1000)
	setDefault(&o.Environments, 4*runtime.NumCPU())
	setDefault(&o.IdleTimeout, 5*time.Minute)
	setDefault(&o.InitTimeout, 10*time.Second)
	if o.RetryDelays == nil {
		o.RetryDelays = []time.Duration{time.Minute, 2 * time.Minute}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, private.Folder(o.WorkDir, filepath.Dir(o.WorkDir))
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Function returns the function with a name or ARN.
func (p *Platform) Function(nameOrARN string) (Function, bool) {
	f, err := p.find(nameOrARN)
	if err != nil {
		return Function{}, false
	}
	return f.Function, true
}

// Functions lists all functions by name.
func (p *Platform) Functions() []Function {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Function, 0, len(p.functions))
	for _, f := range p.functions {
		all = append(all, f.Function)
	}
	slices.SortFunc(all, func(a, b Function) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return all
}

// find resolves a name, or an ARN without a version.
func (p *Platform) find(nameOrARN string) (*function, error) {
	name := nameOrARN
	if strings.HasPrefix(name, "arn:") {
		name = strings.TrimPrefix(name, p.functionARN(""))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.functions[FunctionName(name)]; ok {
		return f, nil
	}
	arn := nameOrARN
	if !strings.HasPrefix(arn, "arn:") {
		arn = p.functionARN(FunctionName(name))
	}
	return nil, &wire.Error{Code: "ResourceNotFoundException", Status: http.StatusNotFound, Message: "Function not found: " + arn}
}

func (p *Platform) functionARN(name FunctionName) string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", p.options.Region, p.options.Account, name)
}

// Kill ends a function's environments immediately, even in the middle of an event, and returns how many there were. It
// serves to inject faults.
func (p *Platform) Kill(function string) int {
	f, err := p.find(function)
	if err != nil {
		return 0
	}
	killed := 0
	for _, e := range p.all(f) {
		e.child.kill()
		killed++
	}
	return killed
}

// Environments is how many environments a function has, including idle ones.
func (p *Platform) Environments(function string) int {
	f, err := p.find(function)
	if err != nil {
		return 0
	}
	return len(p.all(f))
}

// Capacity is how many events of one function can run at once on this machine.
func (p *Platform) Capacity() int { return p.options.Environments }

// all lists the running environments of a function, or of all functions if f is nil.
func (p *Platform) all(f *function) []*environment {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []*environment
	for _, e := range p.environments {
		if e.child != nil && (f == nil || e.f == f) {
			found = append(found, e)
		}
	}
	return found
}

// Close kills every child process and waits until all of them are gone. Invocations under way end with an error.
func (p *Platform) Close() error {
	p.mu.Lock()
	already := p.closed
	p.closed = true
	p.mu.Unlock()
	if already {
		return nil
	}
	p.end()
	for _, e := range p.all(nil) {
		e.child.kill()
	}
	p.work.Wait()
	err := p.server.Close()
	p.forks.close()
	return errors.Join(err, p.removeFolders())
}

// begin counts a unit of work, unless the Platform is closed. The caller must call done at the end.
func (p *Platform) begin() (done func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false
	}
	p.work.Add(1)
	return p.work.Done, true
}

var errClosed = &wire.Error{Code: "ServiceException", Status: http.StatusInternalServerError, Message: "the simulator is stopping"}
