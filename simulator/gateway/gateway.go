package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"heliograph/simulator/loopback"
	"heliograph/simulator/wire"
)

// Gateway holds the APIs. It is safe for concurrent use.
type Gateway struct {
	options  Options
	requests *bucket // shared by all APIs
	connects *bucket

	// ending is done when the Gateway closes; work counts background goroutines that outlive a caller's request.
	ending context.Context
	end    context.CancelFunc
	work   sync.WaitGroup

	mu          sync.Mutex
	apis        map[APIID]*API
	connections map[ConnectionID]*connection // open connections
	closed      bool
	logRole     string
}

// New returns a Gateway without APIs.
func New(o Options) *Gateway {
	o.Limits = o.Limits.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Gateway{
		options: o, apis: map[APIID]*API{}, connections: map[ConnectionID]*connection{},
		logRole:  o.LogRole,
		requests: newBucket(float64(o.Limits.Requests), o.Limits.Burst),
		connects: newBucket(float64(o.Limits.Connects), o.Limits.Connects),
	}
	g.ending, g.end = context.WithCancel(context.Background())
	return g
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.Idle, 10*time.Minute)
	setDefault(&l.Life, 2*time.Hour)
	setDefault(&l.Message, 128<<10)
	setDefault(&l.Frame, 32<<10)
	setDefault(&l.SocketIntegration, 29*time.Second)
	setDefault(&l.HTTPIntegration, 30*time.Second)
	setDefault(&l.Body, 30*time.Second)
	setDefault(&l.Connects, 500)
	setDefault(&l.Requests, 10000)
	setDefault(&l.Burst, 5000)
	setDefault(&l.Buffer, 256<<10)
	return l
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// CreateAPI adds an API and starts listening at its address. It fails if the port is in use or API Gateway would refuse
// a value.
func (g *Gateway) CreateAPI(c APIConfig) (*API, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for the API %s: %w", c.Name, err)
	}
	a := newAPI(g, c, listener)
	g.mu.Lock()
	closed := g.closed
	g.apis[a.id] = a
	g.mu.Unlock()
	if closed {
		return nil, errors.Join(errors.New("the gateway is closed"), listener.Close())
	}
	// Leave room above the gateway's own bound, so that the gateway answers in its own form; beyond this net/http
	// answers.
	a.server = &http.Server{
		Handler: loopback.BodyWithin(g.options.Limits.Body, a), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 * maxHead,
	}
	go func() { _ = a.server.Serve(listener) }()
	return a, nil
}

// API returns the API with an id; an unknown id is a NotFoundException.
func (g *Gateway) API(id APIID) (*API, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a, ok := g.apis[id]; ok {
		return a, nil
	}
	return nil, notFound("Invalid API identifier specified %s:%s", g.options.Account, id)
}

// LogRole is the ARN of the role with which API Gateway writes logs, or "" without one.
func (g *Gateway) LogRole() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.logRole
}

// SetLogRole sets the role with which API Gateway writes logs, for all APIs.
func (g *Gateway) SetLogRole(arn string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.logRole = arn
}

// Connections lists the open connections of all APIs, oldest first.
func (g *Gateway) Connections() []Connection {
	g.mu.Lock()
	all := make([]*connection, 0, len(g.connections))
	for _, c := range g.connections {
		all = append(all, c)
	}
	g.mu.Unlock()
	list := make([]Connection, len(all))
	for i, c := range all {
		list[i] = c.describe()
	}
	slices.SortFunc(list, func(a, b Connection) int { return a.ConnectedAt.Compare(b.ConnectedAt) })
	return list
}

// Close closes listeners and connections without running $disconnect, and waits for work under way.
func (g *Gateway) Close() error {
	g.mu.Lock()
	g.closed = true
	apis := make([]*API, 0, len(g.apis))
	for _, a := range g.apis {
		apis = append(apis, a)
	}
	open := make([]*connection, 0, len(g.connections))
	for _, c := range g.connections {
		open = append(open, c)
	}
	g.mu.Unlock()
	g.end()
	var errs []error
	for _, a := range apis {
		errs = append(errs, a.server.Close())
	}
	for _, c := range open {
		c.abandon()
	}
	g.work.Wait()
	return errors.Join(errs...)
}

// background runs do in a goroutine that Close waits for. It reports false if the gateway is already closed.
func (g *Gateway) background(do func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.work.Go(do)
	return true
}

func (g *Gateway) problem(format string, args ...any) {
	if g.options.Problem != nil {
		g.options.Problem(fmt.Sprintf(format, args...))
	}
}

func badRequest(format string, args ...any) error {
	return wire.Errorf("BadRequestException", format, args...)
}

func notFound(format string, args ...any) error {
	return &wire.Error{Code: "NotFoundException", Status: http.StatusNotFound, Message: fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &wire.Error{Code: "ConflictException", Status: http.StatusConflict, Message: fmt.Sprintf(format, args...)}
}
