package presence_test

import (
	"context"
	"errors"
	"time"

	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/presence"
)

// A process is one function at work, that stops before each of its calls until it is told how the call
// ends. So a test decides how functions interleave, and where they die.
type process struct {
	name  string
	calls chan string // the call that it stands before
	fates chan fate   // how that call ends
	done  chan error
	dead  bool

	since     time.Time // when it began
	announces bool

	next  string // the call that it stands before now; empty: it has ended
	made  int    // how many calls it has come to
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
	dieAfter              // the call is made, and the function dies before it knows
	refuse                // the service answers with an error, and did nothing
	lie                   // the service answers with an error, but did it
	lose                  // no answer comes, and nothing was done
	late                  // no answer comes, and it is done when the function has long ended
)

var (
	errDead = errors.New("the function is dead")
	errLost = errors.New("no answer came")
	errLoop = errors.New("the function comes to no end")
)

// maxCalls is more than a function makes, whatever the others do meanwhile in a test.
const maxCalls = 60

// GoString is how rapid names it in the story of a failure.
func (p *process) GoString() string { return p.name + " before " + p.next }

// begin starts a process and runs it up to its first call. after is called when it has ended.
func begin(name string, work func(p *process) error, after func(error)) *process {
	p := &process{
		name: name, after: after,
		calls: make(chan string), fates: make(chan fate), done: make(chan error, 1),
	}
	go func() { p.done <- work(p) }()
	p.wait()
	return p
}

// wait waits until the process stands before a call or has ended.
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

// step lets the call that the process stands before end in some way, and runs it up to the next. If it has ended,
// nothing is left to do.
func (p *process) step(f fate) {
	if p.ended() {
		return
	}
	p.fates <- f
	p.wait()
}

func (p *process) ended() bool { return p.next == "" }

// finish lets everything go well from here on.
func (p *process) finish() {
	for !p.ended() {
		p.step(goOn)
	}
}

// until lets everything go well until the process stands before a call.
func (p *process) until(call string) {
	for p.next != call && !p.ended() {
		p.step(goOn)
	}
}

// call makes a call in a process, as its fate will have it.
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

// stepped is a table, each call of which is a step of a process.
type stepped struct {
	presence.DynamoDB // BatchGetItem is none: nothing that changes presence uses it
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

// in is the store as a process sees it.
func (f *fixture) in(p *process) *presence.Store {
	return presence.NewStore(stepped{f.db, p}, tableName, f)
}
