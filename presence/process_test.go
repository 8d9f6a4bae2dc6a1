package presence_test

import (
	"context"
	"errors"
	"time"

	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/presence"
)

// A process is one running function that stops before each of its calls until the test decides how the call ends. So a
// test controls how functions interleave, and where they die.
type process struct {
	name  string
	calls chan string // the call that it is about to make
	fates chan fate   // how that call ends
	done  chan error
	dead  bool

	since     time.Time // when it began
	announces bool

	next  string // the call that it is about to make; empty: it has ended
	made  int    // how many calls it has reached
	err   error  // what it ended with
	after func(error)

	underWay []func() // calls that will be carried out late
}

// land carries out the calls that are still under way.
func (p *process) land() {
	for _, do := range p.underWay {
		do()
	}
	p.underWay = nil
}

// fate is how a call ends.
type fate int

const (
	goOn      fate = iota // as it should
	dieBefore             // the function dies before the call is made
	dieAfter              // the call is made, and the function dies before it gets the answer
	refuse                // the service answers with an error, having done nothing
	lie                   // the service answers with an error, but did the work
	lose                  // no answer comes, and nothing was done
	late                  // no answer comes, and the work is done long after the function has ended
)

var (
	errDead = errors.New("the function is dead")
	errLost = errors.New("no answer came")
	errLoop = errors.New("the function comes to no end")
)

// maxCalls is more than any function makes, whatever the others do meanwhile.
const maxCalls = 60

// GoString is the process's name in rapid's failure report.
func (p *process) GoString() string { return p.name + " before " + p.next }

// begin starts a process and runs it up to its first call. after is called once it has ended.
func begin(name string, work func(p *process) error, after func(error)) *process {
	p := &process{
		name: name, after: after,
		calls: make(chan string), fates: make(chan fate), done: make(chan error, 1),
	}
	go func() { p.done <- work(p) }()
	p.wait()
	return p
}

// wait waits until the process has reached a call or ended.
func (p *process) wait() {
	select {
	case p.next = <-p.calls:
	case p.err = <-p.done:
		p.next = ""
		if p.after != nil {
			p.after(p.err)
		}
	}
}

// step ends the process's pending call in the given way, and runs it up to the next. It does nothing once the process
// has ended.
func (p *process) step(f fate) {
	if p.ended() {
		return
	}
	p.fates <- f
	p.wait()
}

func (p *process) ended() bool { return p.next == "" }

// finish lets every remaining call succeed.
func (p *process) finish() {
	for !p.ended() {
		p.step(goOn)
	}
}

// until lets every call succeed until the process reaches the named one.
func (p *process) until(call string) {
	for p.next != call && !p.ended() {
		p.step(goOn)
	}
}

// call makes a call in a process, according to its fate.
func call[Out any](p *process, name string, do func() (Out, error)) (Out, error) {
	var none Out
	if p.dead {
		return none, errDead
	}
	if p.made++; p.made > maxCalls {
		return none, errLoop
	}
	p.calls <- name
	switch <-p.fates {
	case dieBefore:
		p.dead = true
		return none, errDead
	case dieAfter:
		p.dead = true
		_, _ = do()
		return none, errDead
	case refuse:
		return none, &types.InternalServerError{}
	case lie:
		_, _ = do()
		return none, &types.InternalServerError{}
	case lose:
		return none, errLost
	case late:
		p.underWay = append(p.underWay, func() { _, _ = do() })
		return none, errLost
	default:
		return do()
	}
}

// stepped is a table whose every call is a step of a process.
type stepped struct {
	presence.DynamoDB // BatchGetItem is not a step: nothing that changes presence uses it
	p                 *process
}

func (s stepped) PutItem(ctx context.Context, in *api.PutItemInput, o ...func(*api.Options)) (*api.PutItemOutput, error) {
	return call(s.p, "PutItem", func() (*api.PutItemOutput, error) { return s.DynamoDB.PutItem(ctx, in, o...) })
}

func (s stepped) GetItem(ctx context.Context, in *api.GetItemInput, o ...func(*api.Options)) (*api.GetItemOutput, error) {
	return call(s.p, "GetItem", func() (*api.GetItemOutput, error) { return s.DynamoDB.GetItem(ctx, in, o...) })
}

func (s stepped) UpdateItem(ctx context.Context, in *api.UpdateItemInput, o ...func(*api.Options)) (*api.UpdateItemOutput, error) {
	return call(s.p, "UpdateItem", func() (*api.UpdateItemOutput, error) { return s.DynamoDB.UpdateItem(ctx, in, o...) })
}

func (s stepped) DeleteItem(ctx context.Context, in *api.DeleteItemInput, o ...func(*api.Options)) (*api.DeleteItemOutput, error) {
	return call(s.p, "DeleteItem", func() (*api.DeleteItemOutput, error) { return s.DynamoDB.DeleteItem(ctx, in, o...) })
}

func (s stepped) Query(ctx context.Context, in *api.QueryInput, o ...func(*api.Options)) (*api.QueryOutput, error) {
	return call(s.p, "Query", func() (*api.QueryOutput, error) { return s.DynamoDB.Query(ctx, in, o...) })
}

// in is the store as used by a process.
func (f *fixture) in(p *process) *presence.Store {
	return presence.NewStore(stepped{f.db, p}, tableName, f)
}
