// Package dynamodb is an in-memory DynamoDB: tables with global secondary indexes, a stream and time to
// live; the actions that read and write items; expressions, limits, errors and consumed capacity as AWS
// documents them. It is small enough to read, and refuses anything it does not know.
//
// A request comes in at actions.go, is checked, and ends in a Table, where one lock guards the items and
// all indexes. So, unlike on AWS, an index is never behind its table, a stream has one shard, and no partition is ever
// hot, unless Options.Stress asks for it; that a reader may not rely on an index is kept up by refusing ConsistentRead
// there. What an item is made of is package attribute; what expressions mean is package expression.
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

// Options are what a Database needs to know of its surroundings.
type Options struct {
	// Region and Account go into ARNs. Both are required.
	Region, Account string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Stress turns on the less pleasant habits of AWS; the zero value leaves them all off.
	Stress Stress
}

// Database is all tables of one account in one Region.
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

// CreateTable makes a table, ready for use at once. The error says which part of the definition is wrong;
// a name that is taken is one too.
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

// Table is the table of that name, or nil.
func (db *Database) Table(name string) *Table {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.tables[name]
}

// Tables are all tables, in the order of their names.
func (db *Database) Tables() []*Table {
	db.mu.RLock()
	defer db.mu.RUnlock()
	tables := make([]*Table, 0, len(db.tables))
	for _, name := range slices.Sorted(maps.Keys(db.tables)) {
		tables = append(tables, db.tables[name])
	}
	return tables
}

// arn is the ARN of a table, or of what belongs to one.
func (o Options) arn(rest string) string {
	return "arn:aws:dynamodb:" + o.Region + ":" + o.Account + ":table/" + rest
}

// arnOf is the ARN of the table that a request names, whether or not that table exists. Requests may give a
// table's ARN for its name.
func (db *Database) arnOf(nameOrARN string) string {
	if strings.HasPrefix(nameOrARN, "arn:") {
		return nameOrARN
	}
	return db.options.arn(nameOrARN)
}

// lookup finds the table that a request names.
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

// ExpireDue deletes, in all tables, the items whose time to live has passed at the given time, and says how many.
func (db *Database) ExpireDue(now time.Time) int {
	expired := 0
	for _, t := range db.Tables() {
		expired += t.ExpireDue(now)
	}
	return expired
}

// Run calls ExpireDue at each interval until ctx is done. AWS takes up to 48 hours; a short interval
// makes expiry visible on a laptop.
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
