// Package dynamodb is an in-memory DynamoDB: tables with global secondary indexes, a stream and time to live; the
// actions that read and write items; expressions, limits, errors and consumed capacity as AWS documents them. It is
// small enough to read, and refuses everything that it does not know.
//
// A request enters at actions.go, is checked, and ends in a Table, where one lock guards the items and all indexes. So,
// unlike on AWS, an index never lags behind its table, a stream has one shard, and no partition is ever hot, unless
// Options.Stress asks for it. A program still can't come to rely on an up-to-date index: ConsistentRead is refused
// there, as on AWS. Package attribute models the contents of an item, package expression the meaning of expressions.
package dynamodb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are a Database's surroundings.
type Options struct {
	// Region and Account go into ARNs. Both are required.
	Region, Account string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Stress turns on AWS's less pleasant habits; the zero value leaves them all off.
	Stress Stress
}

// Database holds all tables of one account in one Region.
type Database struct {
	options Options

	mu     sync.RWMutex
	tables map[string]*Table
}

// New makes a database without tables.
func New(options Options) *Database {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Database{options: options, tables: map[string]*Table{}}
}

// CreateTable makes a table that is ready for use at once. It fails if the name is taken or the definition is wrong;
// the error names the fault.
func (db *Database) CreateTable(def Definition) (*Table, error) {
	if err := def.check(); err != nil {
		return nil, fmt.Errorf("create table %q: %w", def.Name, err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.tables[def.Name] != nil {
		return nil, fmt.Errorf("create table %q: a table of that name exists", def.Name)
	}
	t := newTable(def, db.options)
	db.tables[def.Name] = t
	return t, nil
}

// Table returns the table of that name, or nil.
func (db *Database) Table(name string) *Table {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.tables[name]
}

// Tables returns all tables, sorted by name.
func (db *Database) Tables() []*Table {
	db.mu.RLock()
	defer db.mu.RUnlock()
	tables := make([]*Table, 0, len(db.tables))
	for _, name := range slices.Sorted(maps.Keys(db.tables)) {
		tables = append(tables, db.tables[name])
	}
	return tables
}

// arn returns the ARN of a table or of something that belongs to one.
func (o Options) arn(rest string) string {
	return "arn:aws:dynamodb:" + o.Region + ":" + o.Account + ":table/" + rest
}

// arnOf returns the ARN of the table that a request names, by its name or ARN, whether or not that table exists: IAM is
// asked before the table is looked up.
func (db *Database) arnOf(nameOrARN string) string {
	if strings.HasPrefix(nameOrARN, "arn:") {
		return nameOrARN
	}
	return db.options.arn(nameOrARN)
}

// lookup finds the table that a request names by its name or ARN.
func (db *Database) lookup(nameOrARN string) (*Table, error) {
	name, isARN := strings.CutPrefix(nameOrARN, db.options.arn(""))
	if t := db.Table(name); t != nil {
		return t, nil
	}
	if !isARN && len(name) < minTableName {
		return nil, invalid("Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
	}
	return nil, notFound("Requested resource not found")
}

// ExpireDue deletes, in all tables, the items whose time to live has passed at the given time, and returns their
// number.
func (db *Database) ExpireDue(now time.Time) int {
	expired := 0
	for _, t := range db.Tables() {
		expired += t.ExpireDue(now)
	}
	return expired
}

// Run calls ExpireDue at each interval until ctx is done. AWS takes up to 48 hours to delete an expired item; a short
// interval makes expiry visible on a laptop.
func (db *Database) Run(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			db.ExpireDue(db.options.Now())
		}
	}
}
