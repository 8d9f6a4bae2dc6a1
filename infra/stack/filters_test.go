package stack

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"heliograph/simulator/pattern"
)

// TestStreamFilters proves that the filters of the stream pass the records of presence of which announce has to do
// something, and no others. TestRecordsOfNoInterest, in presence, proves of the same records that announce does nothing
// with the others.
func TestStreamFilters(t *testing.T) {
	t.Parallel()
	var filters []pattern.Pattern
	mapping := record(t, testConfig()).get(t, "consumers-stream")
	for _, f := range plain(resource.NewProperty(mapping.inputs)).(map[string]any)["filterCriteria"].(map[string]any)["filters"].([]any) {
		parsed, err := pattern.Dialect{Operators: []string{"exists", "prefix"}}.Parse(f.(map[string]any)["pattern"].(string))
		if err != nil {
			t.Fatal(err)
		}
		filters = append(filters, parsed)
	}
	passes := func(name, sk string, before, after map[string]any) bool {
		change := map[string]any{"Keys": map[string]any{"pk": map[string]any{"S": "user#1"}, "sk": map[string]any{"S": sk}}}
		if before != nil {
			change["OldImage"] = before
		}
		if after != nil {
			change["NewImage"] = after
		}
		for _, f := range filters {
			if f.Match(map[string]any{"eventName": name, "dynamodb": change}) {
				return true
			}
		}
		return false
	}
	for _, before := range presenceImages() {
		for _, after := range presenceImages() {
			if before == nil && after["announced"] != nil {
				continue // no write does that: what is announced was stored before
			}
			online, announced := is(after, "online"), is(after, "announced")
			want := after != nil && (online != announced || online && !is(before, "online"))
			if got := passes("MODIFY", "presence", before, after); got != want {
				t.Errorf("from %v to %v: passes %v, want %v", before, after, got, want)
			}
			if after != nil && passes("MODIFY", "conn#a", before, after) {
				t.Errorf("a changed connection passes: %v", after)
			}
		}
	}
	if !passes("REMOVE", "conn#a", map[string]any{}, nil) || passes("REMOVE", "claim#a", map[string]any{}, nil) {
		t.Error("of the deletions, those of connections have to pass, and no others")
	}
}

// presenceImages are the images that the stream can have of a presence item: missing, or online or not, and announced or
// not or not yet.
func presenceImages() []map[string]any {
	images := []map[string]any{nil}
	for _, online := range []bool{true, false} {
		image := map[string]any{"online": map[string]any{"BOOL": online}}
		images = append(images, image)
		for _, announced := range []bool{true, false} {
			images = append(images, map[string]any{"online": image["online"], "announced": map[string]any{"BOOL": announced}})
		}
	}
	return images
}

// is reports whether a flag of an image is set.
func is(image map[string]any, name string) bool {
	value, _ := image[name].(map[string]any)
	set, _ := value["BOOL"].(bool)
	return set
}
