package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"heliograph"
	"heliograph/auth"
	"heliograph/local"
	"heliograph/simulator/fault"
	"heliograph/simulator/loopback"
)

// witness is a stack of its own whose telemetry is read, and everything that must not be found in it.
type witness struct {
	reached
	sim     *local.Stack
	printed *safeBuffer // what a terminal with --logs shows
	key     string      // the secret that signs its tokens
	private []private
}

// private is a text that no telemetry may hold.
type private struct{ kind, text string }

// The kinds of private texts.
const (
	aToken  = "token"
	aSecret = "secret"
	aBody   = "body"
	aUser   = "user id"
)

// newWitness starts a stack that logs and traces as much as it can.
func newWitness(t *testing.T, config map[string]string) *witness {
	t.Helper()
	if own == nil {
		t.Skip("reads the simulator's own log groups and traces")
	}
	w := &witness{printed: new(safeBuffer), key: "a secret of this test alone " + newUser()}
	config = maps.Clone(config)
	config["jwtSecret"], config["jwtSecretPrevious"], config["presenceGrace"] = w.key, "previous "+w.key, "1s"
	var err error
	w.sim, err = local.Start(t.Context(), local.Options{
		Root: projectRoot(t), Config: config, Progress: w.printed, Logs: w.printed, EndpointsFile: filepath.Join(t.TempDir(), "local.json"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Endpoints = w.sim.Endpoints()
	if w.config, err = w.AWSConfig(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.keep(aSecret, w.key)
	w.keep(aSecret, w.AccessKey)
	return w
}

// keep notes a private text, also as it is written in addresses.
func (w *witness) keep(kind, text string) string {
	for _, form := range slices.Compact([]string{text, url.QueryEscape(text), url.PathEscape(text)}) {
		w.private = append(w.private, private{kind, form})
	}
	return text
}

func (w *witness) user() string { return w.keep(aUser, "Zoë.private+"+newUser()+"@example.com") }

func (w *witness) body() string { return w.keep(aBody, "for your eyes only "+newUser()) }

// token signs a token for a user. Its payload and its signature are private as well as the whole.
func (w *witness) token(t *testing.T, key, user string, ttl time.Duration) string {
	t.Helper()
	token, err := auth.SignHS256([]byte(key), auth.Rules{}, heliograph.UserID(user), ttl, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(token, ".")[1:] {
		w.keep(aToken, part)
	}
	return token
}

// badTokens are refused, each for another reason.
func (w *witness) badTokens(t *testing.T) []string {
	t.Helper()
	user := w.user()
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"userId": user}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	good := w.token(t, w.key, user, time.Hour)
	other := base64.RawURLEncoding.EncodeToString([]byte(`{"userId":"` + user + `"}`))
	return []string{
		w.token(t, w.key, user, -time.Hour), w.token(t, "the secret of somebody else, long enough", user, time.Hour),
		w.keep(aToken, unsigned), w.keep(aToken, "no token "+newUser()),
		good[:strings.Index(good, ".")+1] + w.keep(aToken, other) + good[strings.LastIndex(good, "."):],
	}
}

// offer connects with a token, in each of the places where a token may be.
func (w *witness) offer(t *testing.T, token string) (open []device) {
	t.Helper()
	for _, place := range []struct {
		query   string
		options websocket.DialOptions
	}{
		{query: "?Authorization=" + url.QueryEscape(token)},
		{options: websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}}},
		{options: websocket.DialOptions{Subprotocols: []string{heliograph.SubprotocolV1, "bearer." + token}}},
	} {
		socket, _, err := websocket.Dial(within(t), w.WebSocketURL+place.query, &place.options)
		if err == nil {
			t.Cleanup(func() { socket.CloseNow() })
			open = append(open, device{socket})
		}
	}
	return open
}

// ask calls the HTTP API with a token, or the simulator's own without.
func (w *witness) ask(t *testing.T, address, token string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	} else {
		request.Header.Set(loopback.WriteHeader, w.AccessKey)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// inject adds a fault, and returns a function that removes it.
func (w *witness) inject(t *testing.T, r fault.Rule) (remove func()) {
	t.Helper()
	id, err := w.sim.Faults().Add(r)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := w.sim.Faults().Remove(id); err != nil {
			t.Error(err)
		}
	}
}

// emitted is the sum of a metric's values since the start.
func (w *witness) emitted(metric string) (sum float64) {
	for _, s := range w.sim.Metrics().Series() {
		if s.Name == metric {
			sum += s.Sum
		}
	}
	return sum
}

func (w *witness) waitFor(t *testing.T, metric string, atLeast float64) {
	t.Helper()
	for late := time.Now().Add(2 * patience); w.emitted(metric) < atLeast; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%s is %v, want at least %v", metric, w.emitted(metric), atLeast)
		}
	}
}

// happened is what metrics count at least once everything has happened.
var happened = map[string]float64{
	"TokensRejected": 15, "ConnectionsOpened": 3, "PostsDelivered": 6, "PostsFailed": 1, "FollowUpsQueued": 1, "MessagesRejected": 4,
	"MessagesDeadLettered": 4, "MessagesOffline": 1, "MessagesExpired": 1, "DuplicatesDropped": 1, "ReceiptsPublished": 1,
	"UsersWentOffline": 1, "OnlineQueries": 3, "Hellos": 1, "MessagesKept": 1, "HandlerErrors": 2, "DeadlinesMissed": 1,
}

// TestNothingLeaks proves that no token, secret, body or clear user id is in anything that a stack logs, traces, emits
// or shows, whatever goes wrong in it; that every line in the embedded metric format fits AWS's schema; and that every
// line of an access log is JSON. The stack writes all debug lines and records every span.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	w := newWitness(t, map[string]string{"logLevel": "debug", "logSampling": "1"})
	user, friend := w.user(), w.user()
	token := w.token(t, w.key, user, time.Hour)
	w.refuse(t)
	w.inject(t, fault.Rule{Service: fault.SNS, Down: true, Count: 4}) // the user's coming is announced late
	devices := w.offer(t, token)
	if len(devices) != 3 {
		t.Fatalf("%d connections were opened, want 3", len(devices))
	}
	w.sendAll(t, user, friend, devices)
	w.query(t, token, user, friend)
	w.breakAll(t, token, user, devices)
	for metric, atLeast := range happened {
		w.waitFor(t, metric, atLeast)
	}
	all := w.record(t)
	all.checkSubstance(t, user)
	for i, found := range append(all.leaks(w.private), all.malformed(t)...) {
		if t.Error(found); i == 50 {
			t.Fatal("and more")
		}
	}
}

// refuse offers bad tokens to both APIs.
func (w *witness) refuse(t *testing.T) {
	for _, bad := range w.badTokens(t) {
		if open := w.offer(t, bad); len(open) > 0 {
			t.Errorf("%d connections were opened by a bad token", len(open))
		}
		if status, _ := w.ask(t, w.HTTPURL+"/user/online", bad); status != http.StatusForbidden {
			t.Errorf("a bad token was answered %d", status)
		}
	}
}

// sendAll puts messages of all fates on the queue.
func (w *witness) sendAll(t *testing.T, user, friend string, devices []device) {
	w.send(t, user, w.body(), nil)
	for _, d := range devices {
		d.next(t)
	}
	w.sendRaw(t, `{"UserId":"`+user+`","Keep":"1h","Body":"`+w.body()+`"}`, nil)
	w.waitFor(t, "MessagesKept", 1)
	devices[2].say(t, `{"action":"hello","after":"`+w.body()+`"}`)
	id := newUser()
	for range 2 {
		w.sendRaw(t, message{UserID: user, Body: w.body(), ID: id, Receipt: true}.text(t), nil)
		w.waitFor(t, "ReceiptsPublished", 1) // so that the second comes after the first is delivered
	}
	for _, m := range []message{
		{UserIDs: []string{user, friend}, Body: w.body()},
		{UserID: friend, Body: w.body()},
		{UserID: user, Body: w.body(), ExpiresAt: time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)},
		{UserID: user, UserIDs: []string{friend}, Body: w.body()},
		{UserID: user, Body: strings.Repeat(w.body(), 5000)},
		{Broadcast: true, Body: w.body()},
		{ConnectionID: "c=", Body: w.body()},
	} {
		w.sendRaw(t, m.text(t), nil)
	}
	for _, malformed := range []string{
		`{"UserId":{"` + user + `":1},"Body":"` + w.body() + `"}`, `{"UserId":"` + user + `","Body":"` + w.body(), w.body(),
		`{"UserId":"` + user + `","userid":"` + friend + `","Body":{"text":"` + w.body() + `"}}`,
		`{"UserId":"` + user + `","ExpiresAt":"` + w.body() + `","Body":"x"}`,
	} {
		w.sendRaw(t, malformed, nil)
	}
}

// query asks for users by good and by bad requests, and at an address that does not exist.
func (w *witness) query(t *testing.T, token, user, friend string) {
	one, two := url.QueryEscape(user), url.QueryEscape(friend)
	for query, want := range map[string]int{
		"": 200, "?limit=1": 200, "?userIds=" + one + "," + two: 200, "?userId=" + one: 200, "?limit=" + one: 400, "?cursor=" + one: 400, "/" + one: 404,
	} {
		if status, body := w.ask(t, w.HTTPURL+"/user/online"+query, token); status != want {
			t.Errorf("/user/online%s was answered %d %s", query, status, body)
		}
	}
}

// breakAll injects errors, deaths and a timeout into the work for a user.
func (w *witness) breakAll(t *testing.T, token, user string, devices []device) {
	mend := w.inject(t, fault.Rule{Service: fault.Connections, Action: "PostToConnection", Error: "InternalServerErrorException"})
	w.send(t, user, w.body(), nil)
	w.waitFor(t, "PostsFailed", 1)
	mend()
	w.inject(t, fault.Rule{Service: fault.DynamoDB, Caller: "*-connect", Error: "InternalServerError"})
	w.offer(t, token)
	w.inject(t, fault.Rule{Service: fault.Lambda, Resource: "*-send", Kill: true, Count: 1})
	w.send(t, user, w.body(), nil)
	w.inject(t, fault.Rule{Service: fault.DynamoDB, Caller: "*-online", Latency: fault.Fixed(time.Minute)})
	w.ask(t, w.HTTPURL+"/user/online?userIds="+url.QueryEscape(user), token)
	for _, d := range devices {
		_ = d.CloseNow() // the last one's departure is announced
	}
}

// record is all that a stack recorded and showed, by place.
type record map[string][]string

func (w *witness) record(t *testing.T) record {
	t.Helper()
	all := record{"the terminal": strings.Split(w.printed.String(), "\n")}
	for _, group := range w.sim.Metrics().Groups() {
		for _, e := range w.sim.Metrics().Events(group.Name, 0, 0) {
			all[group.Name] = append(all[group.Name], e.Text)
		}
	}
	shown := []string{"stack", "dashboard", "alarms", "traces?background=1", "logs", "connections", "queues", "presets", "pulse", "metrics", "faults"}
	for _, a := range w.sim.Alarms().Alarms() {
		shown = append(shown, "alarms/"+url.PathEscape(a.Name))
	}
	for _, s := range w.sim.Traces().Traces(0) {
		shown = append(shown, "traces/"+string(s.ID))
	}
	for _, queue := range []string{w.SendQueueURL, w.DeadLetterQueueURL} {
		shown = append(shown, "queues/"+queue[strings.LastIndex(queue, "/")+1:])
	}
	for _, id := range messageIDs(all) {
		shown = append(shown, "journey/"+url.PathEscape(id))
	}
	for _, path := range shown {
		status, body := w.ask(t, w.AWSEndpointURL+"/_heliograph/"+path, "")
		if status != http.StatusOK {
			t.Errorf("%s was answered %d %s", path, status, body)
		}
		all["/"+path] = []string{body}
	}
	return all
}

// messageIDs are the ids of the messages that a log line names.
func messageIDs(all record) (ids []string) {
	for _, lines := range all {
		for _, text := range lines {
			var line struct {
				MessageID string `json:"messageId"`
			}
			if json.Unmarshal([]byte(text), &line) == nil && line.MessageID != "" {
				ids = append(ids, line.MessageID)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// meant reports whether a place is there to show a kind of private text: the console lists who is connected and what is
// queued, to the developer whose stack it is.
func meant(place, kind string) bool {
	return place == "/connections" && kind == aUser || strings.HasPrefix(place, "/queues/") && (kind == aUser || kind == aBody)
}

// leaks are the private texts that were found, the first of each kind in each place.
func (all record) leaks(of []private) (found []string) {
	for _, place := range slices.Sorted(maps.Keys(all)) {
		told := map[string]bool{}
		for _, text := range all[place] {
			for _, p := range of {
				if i := strings.Index(text, p.text); i >= 0 && !meant(place, p.kind) && !told[p.kind] {
					told[p.kind] = true
					found = append(found, fmt.Sprintf("a %s is in %s: …%s…", p.kind, place, text[max(0, i-200):min(len(text), i+len(p.text)+100)]))
				}
			}
		}
	}
	return found
}

// isAccessLog reports whether a place is the access log of an API.
func isAccessLog(place string) bool {
	return strings.HasPrefix(place, "/aws/apigateway/") || strings.HasPrefix(place, "/aws/vendedlogs/")
}

// malformed are the metric lines that do not fit AWS's schema, and the access log lines that are no JSON object.
func (all record) malformed(t *testing.T) (found []string) {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7) // the schema names no draft; its ids are of the kind that draft 7 allowed
	schema, err := compiler.Compile("../observability/testdata/emf-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for place, lines := range all {
		if !strings.HasPrefix(place, "/aws/") {
			continue
		}
		for _, text := range lines {
			line, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			_, isObject := line.(map[string]any)
			isMetrics := strings.HasPrefix(text, `{"_aws"`)
			if isMetrics && err == nil {
				err = schema.Validate(line)
			}
			if isAccessLog(place) && !isObject || isMetrics && err != nil {
				found = append(found, fmt.Sprintf("a line of %s is malformed: %v: %s", place, err, text))
				break
			}
		}
	}
	return found
}

// checkSubstance makes sure that there was something to search: each function and API wrote lines, and the user is in
// the log lines, the metric lines and the traces by the hash of the id.
func (all record) checkSubstance(t *testing.T, user string) {
	t.Helper()
	sum := sha256.Sum256([]byte(user))
	hash, by := "u-"+hex.EncodeToString(sum[:])[:12], map[string]bool{}
	for place, lines := range all {
		for _, text := range lines {
			of := strings.Split(place+"/-/-/-", "/")
			by["metrics of "+of[3]] = by["metrics of "+of[3]] || strings.Contains(text, `"_aws"`)
			by["access of "+of[3]] = by["access of "+of[3]] || isAccessLog(place)
			if strings.Contains(text, hash) {
				by["the user's "+of[1]] = true
			}
		}
	}
	want := []string{"the user's aws", "the user's traces", "the user's logs", "access of heliograph-local-http", "access of heliograph-local-websocket"}
	for _, function := range heliograph.Functions() {
		if function != heliograph.Sweep { // it runs once a minute
			want = append(want, "metrics of heliograph-local-"+function)
		}
	}
	for _, something := range want {
		if !by[something] {
			t.Errorf("there is nothing of %s", something)
		}
	}
}

// TestLeaksAreFound proves that the search itself finds each kind of leak in each kind of place.
func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	var w witness
	for _, kind := range []string{aToken, aSecret, aBody, aUser} {
		w.keep(kind, "a "+kind+"/+")
	}
	for _, place := range []string{"/aws/lambda/x", "/aws/vendedlogs/x", "the terminal", "/traces/x", "/connections", "/queues/x", "/alarms"} {
		for _, p := range w.private {
			found := record{place: {"before " + p.text + " after"}}.leaks(w.private)
			if (len(found) == 0) != meant(place, p.kind) {
				t.Errorf("a %s in %s was found as %q", p.kind, place, found)
			}
		}
	}
}

// TestMalformedLinesAreFound proves that lines which AWS's schema refuses, and access log lines which are no JSON object,
// are found.
func TestMalformedLinesAreFound(t *testing.T) {
	t.Parallel()
	const metrics, access = "/aws/lambda/x", "/aws/apigateway/x"
	for _, tt := range []struct {
		place, line string
		malformed   bool
	}{
		{metrics, `{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"N","Dimensions":[["D"]],"Metrics":[{"Name":"M"}]}]},"D":"d","M":1}`, false},
		{metrics, `{"_aws":{"CloudWatchMetrics":[{"Namespace":"N","Dimensions":[["D"]],"Metrics":[{"Name":"M"}]}]},"D":"d","M":1}`, true},
		{metrics, `{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"N","Dimensions":["D"],"Metrics":[]}]},"D":"d"}`, true},
		{metrics, `{"_aws":{"Timestamp":1,"CloudWatchMetrics":[`, true},
		{metrics, `runtime: out of memory`, false},
		{access, `{"status":"200"}`, false},
		{access, `{"status":"200",}`, true},
		{access, `{"error":""Forbidden""}`, true},
		{access, `"text"`, true},
	} {
		if found := (record{tt.place: {tt.line}}).malformed(t); (len(found) > 0) != tt.malformed {
			t.Errorf("%s of %s was judged %q", tt.line, tt.place, found)
		}
	}
}

// usage is the telemetry that AWS charges for, without that of the sweep, which runs each minute whatever happens.
type usage struct {
	lines, bytes     float64 // of logs, with the 26 bytes that CloudWatch adds to each line, and without the ids of sampled traces
	values           float64 // of metrics
	traces, segments float64 // the sampled ones: here every invocation is, on Lambda one a second and 5 % of the rest
}

// traceMember is on the lines of invocations that Lambda samples.
var traceMember = regexp.MustCompile(`,"traceId":"[^"]*"`)

func (w *witness) used() (u usage) {
	const sweep = "heliograph-local-sweep"
	for _, group := range w.sim.Metrics().Groups() {
		for _, e := range w.sim.Metrics().Events(group.Name, 0, 0) {
			if !strings.HasSuffix(group.Name, "/"+sweep) {
				u.lines, u.bytes = u.lines+1, u.bytes+float64(len(traceMember.ReplaceAllString(e.Text, ""))+26)
				u.values += float64(strings.Count(e.Text, `{"Name":`))
			}
		}
	}
	for _, s := range w.sim.Traces().Traces(0) {
		if s.Name != sweep {
			u.traces, u.segments = u.traces+1, u.segments+float64(s.Segments)
		}
	}
	return u
}

// per returns the usage since an earlier one, for each of n.
func (u usage) per(n float64, since usage) usage {
	return usage{
		(u.lines - since.lines) / n, (u.bytes - since.bytes) / n, (u.values - since.values) / n,
		(u.traces - since.traces) / n, (u.segments - since.segments) / n,
	}
}

// within reports whether nothing is more than in another usage.
func (u usage) within(most usage) bool {
	return u.lines <= most.lines && u.bytes <= most.bytes && u.values <= most.values && u.traces <= most.traces && u.segments <= most.segments
}

// TestTelemetryUsed proves that a session and a message use no more telemetry than docs/cost.md calculates with.
// Everything happens one by one, so that nothing shares an invocation.
func TestTelemetryUsed(t *testing.T) {
	t.Parallel()
	w := newWitness(t, map[string]string{})
	phone := w.session(t)
	w.posts(t, phone.user, phone.device, 3) // the cold starts are over
	before := w.used()
	const messages = 20
	w.posts(t, phone.user, phone.device, messages)
	message := w.used().per(messages, before)
	before = w.used()
	const sessions = 5
	for range sessions {
		if err := w.session(t).device.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Fatal(err)
		}
		w.waitFor(t, "UsersWentOffline", w.emitted("UsersCameOnline")-1) // all but the phone
	}
	time.Sleep(time.Second) // traces come by UDP
	session := w.used().per(sessions, before)
	t.Logf("a message: %+v\na session: %+v", message, session)
	if most := (usage{lines: 1.1, bytes: 520, values: 6, traces: 1.1, segments: 7}); !message.within(most) {
		t.Errorf("a message uses %+v, want at most %+v", message, most)
	}
	if most := (usage{lines: 11, bytes: 2900, values: 8, traces: 9, segments: 50}); !session.within(most) {
		t.Errorf("a session uses %+v, want at most %+v", session, most)
	}
}

type userDevice struct {
	user   string
	device device
}

// session opens a connection of a new user, and waits until that is announced.
func (w *witness) session(t *testing.T) userDevice {
	t.Helper()
	came := w.emitted("UsersCameOnline")
	user := newUser()
	d := userDevice{user, w.connectWith(t, w.token(t, w.key, user, time.Hour))}
	w.waitFor(t, "UsersCameOnline", came+1)
	return d
}

// posts sends messages, each after the one before has arrived and is accounted for.
func (w *witness) posts(t *testing.T, user string, d device, n int) {
	t.Helper()
	for range n {
		posted := w.emitted("PostsDelivered")
		w.send(t, user, "Hello", nil)
		d.next(t)
		w.waitFor(t, "PostsDelivered", posted+1)
	}
}
