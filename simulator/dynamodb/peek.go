package dynamodb

import "heliograph/simulator/dynamodb/attribute"

// Peek returns an item without counting as a metered read. The item must not be changed.
func (t *Table) Peek(key attribute.Item) (attribute.Item, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	item, _ := t.get(key)
	return item, item != nil
}
