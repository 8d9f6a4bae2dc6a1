package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"heliograph/simulator/dynamodb"
	"heliograph/simulator/gateway"
	"heliograph/simulator/internal/sleep"
	"heliograph/simulator/private"
	"heliograph/simulator/sns"
	"heliograph/simulator/sqs"
	"heliograph/simulator/ssm"
)

// state is the content of Options.Keep: what each service holds. It is one file, because that is replaced in one step, and
// its parts are of one instant: if a table and a queue were of different ones, an event between them could be lost.
type state struct {
	Version    int
	DynamoDB   map[string]dynamodb.Kept
	SQS        map[string]sqs.Kept
	SNS        map[string]sns.Kept
	SSM        map[string][]ssm.Parameter
	APIGateway []gateway.KeptConnection
	// Declared names what the program declared, such as "queue orders"; of a parameter it has the value.
	Declared map[string]string
}

// stateVersion is the only version of the file that can be read.
const stateVersion = 1

// saveEvery is the least time between two saves, and a save is followed by at least saveShare times the time it took.
const (
	saveEvery = time.Second
	saveShare = 20
)

// keeper saves what a cloud holds.
type keeper struct {
	*Cloud
	file     string
	declared map[string]string
	lost     []gateway.KeptConnection
	saved    []byte
}

// Restore loads the file of Options.Keep, if there is one, and from then on the cloud saves to it. Call it between
// declaring the stack and Start. As after a deployment, what the program declared before and no longer declares is gone,
// and what users made themselves is still there.
func (c *Cloud) Restore() error {
	if c.options.Keep == "" {
		return nil
	}
	k := &keeper{Cloud: c, file: c.options.Keep, declared: c.declared()}
	data, err := os.ReadFile(k.file)
	if err == nil {
		err = k.load(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the state kept in %s can't be used: %w; move that file away to start with an empty stack", k.file, err)
	}
	c.keeper = k
	return nil
}

// declared names what there is before anything is loaded.
func (c *Cloud) declared() map[string]string {
	names := map[string]string{}
	for _, q := range c.Queues.Queues() {
		names["queue "+q.Name()] = ""
	}
	for topic, k := range c.Topics.Keep() {
		names["topic "+topic] = ""
		for _, s := range k.Subscriptions {
			names["subscription "+topic+" "+s.Endpoint] = ""
		}
	}
	for _, p := range c.Parameters.Parameters() {
		names["parameter "+p.Name] = p.Value
	}
	return names
}

func (k *keeper) load(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var s state
	if err := decoder.Decode(&s); err != nil {
		return err
	}
	if s.Version != stateVersion {
		return fmt.Errorf("it has version %d, and this program reads version %d", s.Version, stateVersion)
	}
	k.lost = s.APIGateway
	for _, load := range []func(state) error{k.loadTables, k.makeQueues, k.loadQueues, k.loadTopics, k.loadParameters} {
		if err := load(s); err != nil {
			return err
		}
	}
	return nil
}

// undeclared reports whether the program declared something before, and no longer does.
func (k *keeper) undeclared(s state, what string) bool {
	_, before := s.Declared[what]
	_, now := k.declared[what]
	return before && !now
}

func (k *keeper) loadTables(s state) error {
	for name, kept := range s.DynamoDB {
		if t := k.Tables.Table(name); t != nil { // only programs make tables
			if err := t.Load(kept); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeQueues makes the queues that users made, before any of them gets attributes that name another.
func (k *keeper) makeQueues(s state) error {
	for name := range s.SQS {
		if _, err := k.Queues.Queue(name); err == nil || k.undeclared(s, "queue "+name) {
			continue
		}
		if _, err := k.Queues.Create(name, nil); err != nil {
			return fmt.Errorf("make the queue %s: %w", name, err)
		}
	}
	return nil
}

func (k *keeper) loadQueues(s state) error {
	for name, kept := range s.SQS {
		q, err := k.Queues.Queue(name)
		if err != nil {
			continue
		}
		if _, declared := k.declared["queue "+name]; !declared {
			if err := q.SetAttributes(kept.Attributes); err != nil {
				return fmt.Errorf("set the attributes of the queue %s: %w", name, err)
			}
		}
		if err := q.Load(kept.Messages); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) loadTopics(s state) error {
	for name, kept := range s.SNS {
		if k.undeclared(s, "topic "+name) {
			continue
		}
		if _, declared := k.declared["topic "+name]; !declared {
			if _, err := k.Topics.CreateTopic(name, kept.Attributes); err != nil {
				return fmt.Errorf("make the topic %s: %w", name, err)
			}
		}
		subscriptions := slices.DeleteFunc(kept.Subscriptions, func(sub sns.KeptSubscription) bool {
			return k.undeclared(s, "subscription "+name+" "+sub.Endpoint)
		})
		if err := k.Topics.Load(name, subscriptions); err != nil {
			return err
		}
	}
	return nil
}

// loadParameters leaves a parameter alone whose declared value has changed: the new one counts, as after a deployment.
// Otherwise the newest value counts, even if a user has set it.
func (k *keeper) loadParameters(s state) error {
	for name, versions := range s.SSM {
		key := "parameter " + name
		if k.undeclared(s, key) || k.declared[key] != s.Declared[key] {
			continue
		}
		if err := k.Parameters.Load(name, versions); err != nil {
			return err
		}
	}
	return nil
}

// run saves until its context ends.
func (k *keeper) run(ctx context.Context) {
	pause, last := saveEvery, ""
	for sleep.For(ctx, pause) {
		began := time.Now()
		err := k.save(k.APIs.Keep())
		if err != nil && err.Error() != last { // not each second
			k.Journal.Problem(err.Error())
			last = err.Error()
		}
		pause = max(saveEvery, saveShare*time.Since(began))
	}
}

// save replaces the file, unless nothing has changed.
func (k *keeper) save(open []gateway.KeptConnection) error {
	slices.SortFunc(open, func(a, b gateway.KeptConnection) int { return a.ConnectedAt.Compare(b.ConnectedAt) })
	s := state{Version: stateVersion, APIGateway: open, Declared: k.declared, SNS: k.Topics.Keep(), SSM: k.Parameters.Keep()}
	s.DynamoDB = k.Tables.Keep(k.Sources.handled, func() { s.SQS = k.Queues.Keep() })
	data, err := json.MarshalIndent(s, "", " ")
	if err == nil && !bytes.Equal(data, k.saved) {
		if err = private.WriteFile(k.file, append(data, '\n')); err == nil {
			k.saved = data
		}
	}
	if err != nil {
		return fmt.Errorf("keep the state of the stack in %s: %w", k.file, err)
	}
	return nil
}
