package client_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"heliograph/client"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSize proves that the module in JavaScript, as it is published, is small.
func TestSize(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	w.Write([]byte(readFile(t, "js/heliograph.js")))
	w.Close()
	t.Logf("%d bytes gzipped", packed.Len())
	if const5KB := 5 << 10; packed.Len() > const5KB {
		t.Errorf("heliograph.js has %d bytes gzipped, and %d are the most", packed.Len(), const5KB)
	}
}

// TestPackage proves that the npm package needs nothing, has what it names and publishes nothing else.
func TestPackage(t *testing.T) {
	t.Parallel()
	var members map[string]any
	if err := json.Unmarshal([]byte(readFile(t, "js/package.json")), &members); err != nil {
		t.Fatal(err)
	}
	for name := range members {
		if strings.Contains(strings.ToLower(name), "dependencies") || name == "scripts" {
			t.Errorf("package.json has %s: the package needs nothing and runs nothing", name)
		}
	}
	if found := regexp.MustCompile(`(?m)^import\b|\bimport\(|\brequire\(`).FindString(readFile(t, "js/heliograph.js")); found != "" {
		t.Errorf("heliograph.js has an %q: it needs nothing", found)
	}
	npm, err := exec.LookPath("npm")
	need(t, "what is published is asked of npm: apt-get install npm", err)
	out, err := exec.Command(npm, "pack", "./js", "--dry-run", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var packed []struct{ Files []struct{ Path string } }
	if err := json.Unmarshal(out, &packed); err != nil || len(packed) != 1 {
		t.Fatalf("npm pack: %v\n%s", err, out)
	}
	var files []string
	for _, f := range packed[0].Files {
		files = append(files, f.Path)
	}
	slices.Sort(files)
	if want := []string{"LICENSE", "README.md", "heliograph.d.ts", "heliograph.js", "package.json"}; !slices.Equal(files, want) {
		t.Errorf("npm would publish %v, want %v", files, want)
	}
	if readFile(t, "js/LICENSE") != readFile(t, "../LICENSE") {
		t.Error("js/LICENSE is not the project's")
	}
}

// TestTypes proves that TypeScript, at its strictest, takes what the README shows and refuses mistakes.
func TestTypes(t *testing.T) {
	t.Parallel()
	tsc, err := filepath.Abs("../.ci/node_modules/.bin/tsc")
	if err == nil {
		_, err = os.Stat(tsc)
	}
	need(t, "the types are checked by TypeScript: make tools", err)
	out, err := exec.Command(tsc, "--strict", "--noEmit", "--exactOptionalPropertyTypes", "--target", "es2022", "--module", "nodenext",
		"--lib", "es2022,dom", "testdata/types.ts").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestNames proves that the two clients have the same names. Go ends a client by its context, and JavaScript by close.
func TestNames(t *testing.T) {
	t.Parallel()
	types := readFile(t, "js/heliograph.d.ts")
	for _, pair := range []struct {
		declared string
		of       reflect.Type
		js, goes []string // what only one of them has
	}{
		{"interface Options", reflect.TypeFor[client.Options](), []string{"WebSocket", "clock"}, []string{"hTTPClient"}},
		{"interface Message", reflect.TypeFor[client.Message](), nil, nil},
		{"interface Live", reflect.TypeFor[client.Live](), nil, nil},
		{"interface Down", reflect.TypeFor[client.Down](), []string{"error"}, []string{"err"}},
		{"interface Storage", reflect.TypeFor[client.Storage](), nil, nil},
		{"class Client", reflect.TypeFor[*client.Client](), []string{"close", "constructor"}, nil},
	} {
		_, body, _ := strings.Cut(types, "export "+pair.declared+" {")
		body, _, _ = strings.Cut(body, "\n}")
		var declared []string
		for _, found := range regexp.MustCompile(`(?m)^  (\w+)[?(:]`).FindAllStringSubmatch(body, -1) {
			declared = append(declared, found[1])
		}
		want := append(namesOf(pair.of), pair.js...)
		want = slices.DeleteFunc(want, func(name string) bool { return slices.Contains(pair.goes, name) })
		slices.Sort(declared)
		slices.Sort(want)
		if !slices.Equal(declared, want) {
			t.Errorf("%s has %v in JavaScript; as in Go, it would have %v", pair.declared, declared, want)
		}
	}
}

// namesOf are the exported fields and methods of a type, as JavaScript writes names.
func namesOf(of reflect.Type) (names []string) {
	if of.Kind() == reflect.Struct {
		for f := range of.Fields() {
			names = append(names, f.Name)
		}
	} else {
		for m := range of.Methods() {
			names = append(names, m.Name)
		}
	}
	for i, name := range names {
		if name == strings.ToUpper(name) {
			names[i] = strings.ToLower(name) // ID, URL
		} else {
			names[i] = strings.ToLower(name[:1]) + name[1:]
		}
	}
	return names
}

// TestCodes proves that the errors of the two clients have the same codes, and that each has a sentence in both. Only Go
// sees that a token was refused.
func TestCodes(t *testing.T) {
	t.Parallel()
	var inGo, declared, meant []string
	for _, found := range regexp.MustCompile(`Code = "([\w-]+)"`).FindAllStringSubmatch(readFile(t, "error.go"), -1) {
		inGo = append(inGo, found[1])
		if (&client.Error{Code: client.Code(found[1])}).Error() == "" {
			t.Errorf("the code %s has no sentence", found[1])
		}
	}
	types, code := readFile(t, "js/heliograph.d.ts"), readFile(t, "js/heliograph.js")
	for _, found := range regexp.MustCompile(`(?m)^  \| "([\w-]+)"`).FindAllStringSubmatch(types, -1) {
		declared = append(declared, found[1])
	}
	_, code, _ = strings.Cut(code, "const MEANINGS = {")
	code, _, _ = strings.Cut(code, "};")
	for _, found := range regexp.MustCompile(`(?m)^  "?([\w-]+)"?:`).FindAllStringSubmatch(code, -1) {
		meant = append(meant, found[1])
	}
	inGo = slices.DeleteFunc(inGo, func(code string) bool { return code == "denied" })
	if !slices.Equal(inGo, declared) || !slices.Equal(inGo, meant) {
		t.Errorf("the codes are %v in Go; in JavaScript %v are declared, and %v have a sentence", inGo, declared, meant)
	}
}
