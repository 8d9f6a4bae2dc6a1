package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// httpStage is an HTTP API as the program declares it, plus a route for POST requests.
func httpStage(t testing.TB, g *Gateway, cors *CORS, change ...func(*StageConfig)) *Stage {
	a := must[*API](t)(g.CreateAPI(APIConfig{Name: "http", Protocol: HTTP, CORS: cors, Address: "127.0.0.1:0"}))
	auth := must[AuthorizerID](t)(a.CreateAuthorizer(AuthorizerConfig{
		Name: "jwt", Type: "REQUEST", URI: uri("authorizer"), PayloadFormatVersion: "1.0", IdentitySources: []string{"$request.header.Authorization"},
	}))
	addRoute(t, a, "online", RouteConfig{Key: "GET /user/online", AuthorizationType: "CUSTOM", Authorizer: auth})
	addRoute(t, a, "online", RouteConfig{Key: "POST /post"})
	c := StageConfig{Name: "$default", AutoDeploy: true}
	for _, f := range change {
		f(&c)
	}
	return deploy(t, a, c)
}

// answer is a response as the client sees it.
type answer struct {
	Status int
	Body   string
	Header http.Header
}

func request(t *testing.T, method, url string, header http.Header) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, string(body), response.Header}
}

var bearer = http.Header{"Authorization": {"Bearer a.b.c"}}

func TestHTTPAuthorization(t *testing.T) {
	t.Parallel()
	other := strings.Replace(allow, `"Resource":"*"`, `"Resource":"arn:aws:execute-api:eu-west-1:000000000000:*/$default/POST/*"`, 1)
	for name, tt := range map[string]struct {
		header  http.Header
		answer  string
		fails   error
		status  int
		body    string
		invoked int // calls of the authorizer
	}{
		"allowed":         {header: bearer, status: 200, invoked: 1},
		"no token":        {status: 401, body: `{"message":"Unauthorized"}`},
		"empty token":     {header: http.Header{"Authorization": {""}}, status: 401, body: `{"message":"Unauthorized"}`},
		"denied":          {header: bearer, answer: deny, status: 403, body: `{"message":"Forbidden"}`, invoked: 1},
		"another route":   {header: bearer, answer: other, status: 403, body: `{"message":"Forbidden"}`, invoked: 1},
		"failing":         {header: bearer, fails: failure("Unauthorized"), status: 500, body: `{"message":"Internal Server Error"}`, invoked: 1},
		"can't be run":    {header: bearer, fails: errors.New("throttled"), status: 500, body: `{"message":"Internal Server Error"}`, invoked: 1},
		"no answer":       {header: bearer, answer: `{}`, status: 500, body: `{"message":"Internal Server Error"}`, invoked: 1},
		"simple response": {header: bearer, answer: `{"isAuthorized":true}`, status: 500, body: `{"message":"Internal Server Error"}`, invoked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFunctions()
			setDefault(&tt.answer, allow)
			f.answer("authorizer", tt.answer, tt.fails)
			s := httpStage(t, newGateway(t, f, Options{}), nil)
			got := request(t, "GET", s.InvokeURL()+"user/online", tt.header)
			if got.Status != tt.status || got.Body != tt.body {
				t.Errorf("the answer is %d %s", got.Status, got.Body)
			}
			if n := f.invoked("authorizer"); n != tt.invoked {
				t.Errorf("the authorizer was invoked %d times", n)
			}
			if n := f.invoked("online"); (n == 1) != (tt.status == 200) {
				t.Errorf("the function was invoked %d times", n)
			}
		})
	}
}

func TestHTTPAnswers(t *testing.T) {
	t.Parallel()
	const oops = `{"message":"Internal Server Error"}`
	for name, tt := range map[string]struct {
		answer string
		fails  error
		want   answer // with only the relevant headers
	}{
		"structured": {
			answer: `{"statusCode":201,"headers":{"Content-Type":"application/json","X-Number":3,"Link":"<?a>; rel=\"next\""},"body":"[1]"}`,
			want:   answer{201, "[1]", http.Header{"Content-Type": {"application/json"}, "X-Number": {"3"}, "Link": {`<?a>; rel="next"`}}},
		},
		"no type":        {answer: `{"statusCode":200,"body":"x"}`, want: answer{200, "x", http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}}},
		"no body":        {answer: `{"statusCode":204}`, want: answer{204, "", nil}},
		"status as text": {answer: `{"statusCode":"202"}`, want: answer{202, "", nil}},
		"cookies":        {answer: `{"statusCode":200,"cookies":["a=1","b=2"]}`, want: answer{200, "", http.Header{"Set-Cookie": {"a=1", "b=2"}}}},
		"base64":         {answer: `{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`, want: answer{200, "hi", nil}},
		"inferred":       {answer: `{"hello":1}`, want: answer{200, `{"hello":1}`, http.Header{"Content-Type": {"application/json"}}}},
		"inferred list":  {answer: `[1]`, want: answer{200, `[1]`, http.Header{"Content-Type": {"application/json"}}}},
		"inferred text":  {answer: `"hello"`, want: answer{200, `hello`, http.Header{"Content-Type": {"application/json"}}}},
		"odd status":     {answer: `{"statusCode":99}`, want: answer{500, oops, nil}},
		"odd body":       {answer: `{"statusCode":200,"body":1}`, want: answer{500, oops, nil}},
		"no base64":      {answer: `{"statusCode":200,"body":"*","isBase64Encoded":true}`, want: answer{500, oops, nil}},
		"no JSON":        {answer: `oops`, want: answer{500, oops, nil}},
		"failure":        {fails: failure("boom"), want: answer{500, oops, nil}},
		"can't be run":   {fails: errors.New("throttled"), want: answer{500, oops, nil}},
		"not in time":    {answer: "hang", want: answer{503, `{"message":"Service Unavailable"}`, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, problems := newFunctions(), &log{}
			f.on("online", func(ctx context.Context, _ []byte) ([]byte, error) {
				if tt.answer == "hang" {
					<-ctx.Done()
					return nil, context.Cause(ctx)
				}
				return []byte(tt.answer), tt.fails
			})
			s := httpStage(t, newGateway(t, f, Options{Problem: problems.add, Limits: Limits{HTTPIntegration: 50 * time.Millisecond}}), nil)
			got := request(t, "GET", s.InvokeURL()+"user/online", bearer)
			if got.Header.Get("Apigw-Requestid") == "" {
				t.Error("there is no request id")
			}
			for name := range got.Header {
				if tt.want.Header[name] == nil {
					delete(got.Header, name)
				}
			}
			if len(got.Header) == 0 {
				got.Header = nil
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if (tt.want.Status >= 500) != (len(problems.all()) == 1) {
				t.Errorf("the problems are %q", problems.all())
			}
		})
	}
}

func TestHTTPRoutes(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	g := newGateway(t, f, Options{})
	s := httpStage(t, g, nil)
	url := s.InvokeURL()
	for path, want := range map[string]int{
		"GET user/online": 200, "GET user/online/": 404, "GET user": 404, "GET ": 404, "POST user/online": 404, "POST post": 200, "GET post": 404,
	} {
		method, path, _ := strings.Cut(path, " ")
		got := request(t, method, url+path, bearer)
		if got.Status != want || want == 404 && got.Body != `{"message":"Not Found"}` {
			t.Errorf("%s %s: %d %s", method, path, got.Status, got.Body)
		}
	}
	// A stage with AutoDeploy serves later routes immediately.
	addRoute(t, s.api, "default", RouteConfig{Key: "ANY /any"})
	if got := request(t, "DELETE", url+"any", nil); got.Status != 200 {
		t.Errorf("a new route: %d", got.Status)
	}
	addRoute(t, s.api, "default", RouteConfig{Key: "$default"})
	if got := request(t, "GET", url+"else", nil); got.Status != 200 || f.event(t, "default")["routeKey"] != "ANY /any" || f.event(t, "default")["routeKey"] != "$default" {
		t.Errorf("the $default route: %d", got.Status)
	}
}

func TestHTTPStageWithANameBeginsThePath(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	s := httpStage(t, newGateway(t, f, Options{}), nil, func(c *StageConfig) { c.Name = "prod" })
	if got := request(t, "GET", s.InvokeURL()+"/user/online", bearer); got.Status != 200 {
		t.Errorf("with the stage: %d", got.Status)
	}
	if got := f.event(t, "online")["rawPath"]; got != "/prod/user/online" {
		t.Errorf("the path is %v", got)
	}
	if got := request(t, "GET", s.api.Endpoint()+"/user/online", bearer); got.Status != 404 {
		t.Errorf("without the stage: %d", got.Status)
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	config := &CORS{
		AllowOrigins: []string{"https://app.example.com", "http://*"}, AllowMethods: []string{"GET", "OPTIONS"},
		AllowHeaders: []string{"authorization"}, ExposeHeaders: []string{"link"}, MaxAge: 300, AllowCredentials: true,
	}
	f := newFunctions()
	f.answer("online", `{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"https://function.example.com"}}`, nil)
	url := httpStage(t, newGateway(t, f, Options{}), config).InvokeURL() + "user/online"
	with := func(h http.Header, origin string) http.Header {
		h = h.Clone()
		h.Set("Origin", origin)
		return h
	}
	preflight := http.Header{"Access-Control-Request-Method": {"GET"}}

	got := request(t, "OPTIONS", url, with(preflight, "https://app.example.com"))
	want := map[string]string{
		"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Methods": "GET,OPTIONS",
		"Access-Control-Allow-Headers": "authorization", "Access-Control-Max-Age": "300", "Access-Control-Allow-Credentials": "true",
		"Access-Control-Expose-Headers": "link",
	}
	if got.Status != 204 {
		t.Errorf("the preflight request is answered with %d", got.Status)
	}
	if diff := cmp.Diff(want, corsOf(got)); diff != "" {
		t.Error(diff)
	}
	if got := request(t, "OPTIONS", url, with(preflight, "https://evil.example.com")); got.Status != 204 || len(corsOf(got)) != 0 {
		t.Errorf("another origin's preflight request: %d %v", got.Status, corsOf(got))
	}
	if got := request(t, "OPTIONS", url, http.Header{"Origin": {"https://app.example.com"}}); got.Status != 404 {
		t.Errorf("OPTIONS that is no preflight request: %d", got.Status)
	}
	if got := corsOf(request(t, "GET", url, with(bearer, "http://localhost:3000")))["Access-Control-Allow-Origin"]; got != "http://localhost:3000" {
		t.Errorf("an origin that fits a pattern: %q", got)
	}
	if got := corsOf(request(t, "GET", url, bearer)); len(got) != 0 {
		t.Errorf("without an origin the function's own headers are there: %v", got)
	}
	if n := f.invoked("authorizer"); n != 2 {
		t.Errorf("the authorizer was invoked %d times; preflight requests need none", n)
	}
}

func corsOf(a answer) map[string]string {
	found := map[string]string{}
	for name := range a.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			found[name] = a.Header.Get(name)
		}
	}
	return found
}

func TestHTTPThrottling(t *testing.T) {
	t.Parallel()
	s := httpStage(t, newGateway(t, newFunctions(), Options{}), nil, func(c *StageConfig) { c.ThrottleRate, c.ThrottleBurst = 0.001, 1 })
	first, second := request(t, "GET", s.InvokeURL()+"user/online", bearer), request(t, "GET", s.InvokeURL()+"user/online", bearer)
	if first.Status != 200 || second.Status != 429 || second.Body != `{"message":"Too Many Requests"}` {
		t.Errorf("%d, then %d %s", first.Status, second.Status, second.Body)
	}
}

func TestHTTPBodyLimit(t *testing.T) {
	t.Parallel()
	s := httpStage(t, newGateway(t, newFunctions(), Options{}), nil)
	response, err := http.Post(s.InvokeURL()+"post", "text/plain", strings.NewReader(strings.Repeat("x", maxHTTPBody+1)))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 413 {
		t.Errorf("the status is %d", response.StatusCode)
	}
}

const logGroup = "arn:aws:logs:eu-west-1:000000000000:log-group:access"

func TestAccessLogOfAnHTTPAPI(t *testing.T) {
	t.Parallel()
	lines := &log{}
	g := newGateway(t, newFunctions(), Options{Now: clockAt(noon), AccessLog: func(destination, line string) { lines.add(destination + " " + line) }})
	s := httpStage(t, g, nil, func(c *StageConfig) {
		c.AccessLogDestination = logGroup
		c.AccessLogFormat = `{"id":"$context.requestId","at":"$context.requestTime","ip":"$context.identity.sourceIp","agent":"$context.identity.userAgent","route":"$context.routeKey","status":"$context.status","user":"$context.authorizer.principalId","own":"$context.authorizer.userId","error":"$context.error.message","length":"$context.responseLength"}`
	})
	request(t, "GET", s.InvokeURL()+"user/online?secret=x", http.Header{"Authorization": {"t"}, "User-Agent": {`odd "agent"`}})
	request(t, "GET", s.InvokeURL()+"user/online", http.Header{"User-Agent": {"a"}})
	request(t, "GET", s.InvokeURL()+"else", http.Header{"User-Agent": {"a"}})
	id := regexp.MustCompile(`"id":"[\w-]{15}="`)
	got := lines.all()
	for i := range got {
		got[i] = id.ReplaceAllString(got[i], `"id":"ID"`)
	}
	const at = `"at":"02/Jan/2026:12:00:00 +0000","ip":"127.0.0.1",`
	want := []string{
		logGroup + ` {"id":"ID",` + at + `"agent":"odd \"agent\"","route":"GET /user/online","status":"200","user":"1234","own":"1234","error":"-","length":"0"}`,
		logGroup + ` {"id":"ID",` + at + `"agent":"a","route":"GET /user/online","status":"401","user":"-","own":"-","error":"Unauthorized","length":"26"}`,
		logGroup + ` {"id":"ID",` + at + `"agent":"a","route":"-","status":"404","user":"-","own":"-","error":"Not Found","length":"23"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAccessLogOfAWebSocketAPI(t *testing.T) {
	t.Parallel()
	f, lines := newFunctions(), make(chan string, 9)
	g := newGateway(t, f, Options{LogRole: "arn:aws:iam::000000000000:role/logs", AccessLog: func(_, line string) { lines <- line }})
	s := socketStage(t, g)
	api := s.api
	logged := deploy(t, api, StageConfig{
		Name: "logged", AccessLogDestination: logGroup,
		AccessLogFormat: "$context.requestId $context.eventType $context.routeKey $context.status $context.connectionId $context.disconnectStatusCode $context.error.messageString",
	})
	c := dial(t, logged, nil)
	id := string(g.Connections()[0].ID)
	write(t, c, `{"action":"ping"}`)
	write(t, c, `x`)
	read(t, c)
	read(t, c)
	_ = c.Close(1000, "")
	var got []string
	for range 4 {
		_, line, _ := strings.Cut(<-lines, " ") // drop the request id
		got = append(got, strings.ReplaceAll(line, id, "ID"))
	}
	slices.Sort(got)
	want := []string{
		"CONNECT $connect 200 ID - -", "DISCONNECT $disconnect 200 ID 1000 -", `MESSAGE $default 403 ID - "Forbidden"`, "MESSAGE ping 200 ID - -",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	sums := make(chan Metric, 1000)
	f := newFunctions()
	f.answer("online", "", failure("boom"))
	g := newGateway(t, f, Options{Metric: func(m Metric) { sums <- m }})
	h, s := httpStage(t, g, nil), socketStage(t, g)
	request(t, "GET", h.InvokeURL()+"user/online", nil)
	request(t, "GET", h.InvokeURL()+"user/online", bearer)
	c := dial(t, s, nil)
	write(t, c, "x")
	read(t, c)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	close(sums)
	got := map[string]float64{}
	for m := range sums {
		if m.Unit == "Count" {
			got[m.Stage+" "+m.Name] += m.Value
		}
	}
	want := map[string]float64{
		"$default Count": 2, "$default 4xx": 1, "$default 5xx": 1, "local ConnectCount": 1, "local MessageCount": 2, "local ClientError": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
