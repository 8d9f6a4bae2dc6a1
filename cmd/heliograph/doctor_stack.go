package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"heliograph"
	"heliograph/auth"
	"heliograph/simulator/cloudwatch/alarm"
)

// patient is the stack that is examined.
type patient struct {
	*target
	w world
	credential
	command string // how to call the command line for this stack
}

// checks are those of any stack, here or on AWS.
func (p *patient) checks() []check {
	keys := check{"secret", problem, p.checkSecret}
	if p.JWKSURL != "" {
		keys = check{"published keys", problem, p.checkKeys}
	}
	return []check{
		keys,
		{"token", problem, p.checkToken},
		{"clock", warning, p.checkClock},
		{"table", problem, p.checkTable},
		{"topic", problem, p.checkTopic},
		{"send queue", problem, p.checkQueue},
		{"dead letters", problem, func(ctx context.Context) (finding, error) { return p.checkFailures(ctx, ofSend) }},
		{"grace dead letters", problem, func(ctx context.Context) (finding, error) { return p.checkFailures(ctx, ofGrace) }},
		{"stream failures", problem, func(ctx context.Context) (finding, error) { return p.checkFailures(ctx, ofStream) }},
		{"WebSocket address", problem, func(ctx context.Context) (finding, error) { return checkAddress(ctx, p.WebSocketURL, nil, p.w.now()) }},
		{"HTTP address", problem, func(ctx context.Context) (finding, error) { return checkAddress(ctx, p.HTTPURL, nil, p.w.now()) }},
		{"round trip", problem, p.checkRoundTrip},
		{"alarms", warning, p.checkAlarms},
	}
}

const newSecret = `pulumi config set --secret jwtSecret "$(openssl rand -hex 32)" && pulumi up`

// checkSecret judges the secret that signs tokens, which no finding repeats.
func (p *patient) checkSecret(ctx context.Context) (finding, error) {
	secret, err := p.secret(ctx)
	if err != nil {
		return finding{Costs: "no token can be judged: every connect is refused", Mend: newSecret}, err
	}
	if p.AWSEndpointURL != "" && isPublic(ctx, secret) {
		return ok("the public default, which only a local stack accepts"), nil
	}
	if why := weakness(secret); why != "" || isPublic(ctx, secret) {
		if why == "" {
			why = "is published in the documentation of the seed project"
		}
		return finding{Level: problem, Says: "the secret " + why, Costs: "anyone who guesses it can connect as any user and read their messages", Mend: newSecret}, nil
	}
	return ok("%d bytes, not obviously weak", len(secret)), nil
}

// isPublic reports whether a secret has signed the token that is published with it.
func isPublic(ctx context.Context, secret []byte) bool {
	_, err := auth.NewVerifier(auth.SecretKeys(held(secret), "held", "", auth.DefaultGrace, nil), auth.Rules{}).Verify(ctx, seedToken)
	return err == nil
}

// held is a parameter store that holds one secret.
type held []byte

func (h held) GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	value := string(h)
	return &ssm.GetParameterOutput{Parameter: &ssmtypes.Parameter{Value: &value}}, nil
}

// minSecretBits is well beyond guessing. RFC 7518, section 3.2, asks for 256 bits, which a text of 32 characters can
// not have.
const minSecretBits = 100

// weakness says what makes a secret easy to guess, "" if nothing does. Its estimate is the entropy of the characters'
// frequencies, which random text of 32 characters exceeds and repetition does not.
func weakness(secret []byte) string {
	text := string(secret)
	if len(text) < auth.MinSecretBytes {
		return fmt.Sprintf("has %d bytes; it needs %d", len(text), auth.MinSecretBytes)
	}
	if period := strings.Index((text + text)[1:], text) + 1; period < len(text) {
		return fmt.Sprintf("repeats a text of %d bytes", period)
	}
	counts := map[byte]float64{}
	for _, c := range secret {
		counts[c]++
	}
	bits, all := 0.0, float64(len(secret))
	for _, n := range counts {
		bits += n * math.Log2(all/n)
	}
	if bits < minSecretBits {
		return fmt.Sprintf("has too few different characters (%d)", len(counts))
	}
	return ""
}

// checkKeys reads the identity provider's keys.
func (p *patient) checkKeys(ctx context.Context) (finding, error) {
	unread := finding{Costs: "no token can be judged: every connect is refused", Mend: "curl -sS " + p.JWKSURL}
	body, _, err := fetch(ctx, p.JWKSURL)
	if err != nil {
		return unread, fmt.Errorf("read the keys: %w", err)
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) == 0 {
		return unread, fmt.Errorf("%s holds no keys", p.JWKSURL)
	}
	return ok("%d at %s", len(set.Keys), p.JWKSURL), nil
}

// fetch gets a document, and the response that brought it.
func fetch(ctx context.Context, address string) ([]byte, *http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return body, response, err
}

// untried is the finding where only an identity provider could sign a token and none was given.
func (p *patient) untried() finding {
	return finding{
		Level: warning, Says: "not tried: only the identity provider can sign a token", Costs: "a wrong issuer, audience or claim shows when users connect",
		Mend: p.command + ` doctor --token "$TOKEN"`,
	}
}

// checkToken judges a token as the functions would.
func (p *patient) checkToken(ctx context.Context) (finding, error) {
	token, err := p.token(ctx, p.w.now(), p.target, greeter, time.Minute)
	if errors.Is(err, errOthersKey) {
		return p.untried(), nil
	}
	refused := finding{Costs: "clients with such a token are refused", Mend: p.command + " token --user 1234"}
	if err != nil {
		return refused, err
	}
	keys, err := p.keys(ctx)
	if err != nil {
		return refused, err
	}
	rules := auth.RulesOf(p.Outputs)
	who, err := auth.NewVerifier(keys, rules).Verify(ctx, auth.Token(token))
	if err != nil {
		return refused, fmt.Errorf("the token is refused: %w (the stack demands the claim %s, the issuer %q and the audience %q)", err, rules.Claim(), rules.Issuer, rules.Audience)
	}
	return ok("accepted, as the user %s", who.UserID), nil
}

// keys are those that the authorizer has.
func (p *patient) keys(ctx context.Context) (*auth.Keys, error) {
	if p.JWKSURL != "" {
		return auth.PublishedKeys(p.JWKSURL, nil, auth.DefaultGrace, nil)
	}
	store, previous := ssm.NewFromConfig(p.aws), p.ParameterPrefix+heliograph.ParameterJWTSecretPrevious
	if _, err := store.GetParameter(ctx, &ssm.GetParameterInput{Name: &previous}); err != nil {
		previous = "" // no rotation is going on
	}
	return auth.SecretKeys(store, p.ParameterPrefix+heliograph.ParameterJWTSecret, previous, auth.DefaultGrace, nil), nil
}

// checkClock compares this machine's clock with the gateway's.
func (p *patient) checkClock(ctx context.Context) (finding, error) {
	before := p.w.now()
	_, response, err := fetch(ctx, p.HTTPURL+"/user/online")
	if err != nil {
		return finding{}, err
	}
	theirs, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return finding{}, fmt.Errorf("the gateway sent no time: %w", err)
	}
	// The header has whole seconds, rounded down: half a second is the best guess.
	return skewed(before.Add(p.w.now().Sub(before) / 2).Sub(theirs.Add(time.Second / 2))), nil
}

// skewed judges by how much this machine's clock is ahead.
func skewed(ahead time.Duration) finding {
	const mend = "sudo timedatectl set-ntp true"
	switch off := ahead.Abs(); {
	case off > time.Minute:
		return finding{Level: problem, Says: fmt.Sprintf("this machine's clock is %v off", ahead.Round(time.Second)), Costs: "tokens signed here are refused as expired or not yet valid, and beyond 5 minutes every AWS call is", Mend: mend}
	case off > 5*time.Second:
		return finding{Level: warning, Says: fmt.Sprintf("this machine's clock is %v off", ahead.Round(time.Second)), Costs: "tokens of a short life are refused", Mend: mend}
	}
	return ok("within 5 s of the gateway's")
}

func (p *patient) checkTable(ctx context.Context) (finding, error) {
	gone := finding{Costs: "nobody can connect, and nothing is delivered", Mend: "pulumi refresh && pulumi up"}
	out, err := dynamodb.NewFromConfig(p.aws).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &p.TableName})
	if err != nil {
		return gone, fmt.Errorf("read the table %s: %w", p.TableName, err)
	}
	if s := out.Table.TableStatus; s != dynamodbtypes.TableStatusActive && s != dynamodbtypes.TableStatusUpdating {
		return gone, fmt.Errorf("the table %s is %s", p.TableName, s)
	}
	if out.Table.StreamSpecification == nil || out.Table.StreamSpecification.StreamEnabled == nil || !*out.Table.StreamSpecification.StreamEnabled {
		return finding{Costs: "users coming and going are not announced", Mend: gone.Mend}, fmt.Errorf("the table %s has no stream", p.TableName)
	}
	return ok("%s is there, with its stream", p.TableName), nil
}

func (p *patient) checkTopic(ctx context.Context) (finding, error) {
	out, err := sns.NewFromConfig(p.aws).GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &p.EventTopicARN})
	if err != nil {
		return finding{Costs: "users coming and going are not announced", Mend: "pulumi refresh && pulumi up"}, fmt.Errorf("read the topic %s: %w", p.EventTopicARN, err)
	}
	return ok("%s confirmed subscriptions", out.Attributes["SubscriptionsConfirmed"]), nil
}

// manyWaiting is more than send takes from the queue in some seconds at its default concurrency.
const manyWaiting = 1000

func (p *patient) checkQueue(ctx context.Context) (finding, error) {
	waiting, err := p.waiting(ctx, p.SendQueueURL)
	if err != nil {
		return finding{Costs: "messages can't be sent", Mend: "pulumi refresh && pulumi up"}, err
	}
	if waiting > manyWaiting {
		return finding{Level: warning, Says: fmt.Sprintf("%d messages wait", waiting), Costs: "new messages arrive late", Mend: "pulumi config set maxConcurrency N && pulumi up, after docs/runbooks/message-age.md"}, nil
	}
	return ok("%d messages wait", waiting), nil
}

// failures is a queue of what could not be processed.
type failures struct {
	name, lost, costs, mend string // name is the end of the queue's name
	own                     bool   // mend is one of our commands
}

// A stack's queues of failures. The outputs hold the address of the first, and the others differ in the end of their names.
var (
	ofSend   = failures{"-send-dead-letters", "messages that can't be delivered are lost", "their users never saw them, and SQS deletes them in time", "dlq list", true}
	ofGrace  = failures{"-grace-dead-letters", "users who are gone and could not be announced are lost", "their users stay online in what subscribers know", "docs/runbooks/dead-letters.md", false}
	ofStream = failures{"-stream-failures", "presence changes that can't be announced are lost", "subscribers of presence missed them", "docs/runbooks/stream-failures.md", false}
)

func (p *patient) checkFailures(ctx context.Context, of failures) (finding, error) {
	waiting, err := p.waiting(ctx, strings.TrimSuffix(p.DeadLetterQueueURL, ofSend.name)+of.name)
	if err != nil {
		return finding{Costs: of.lost, Mend: "pulumi refresh && pulumi up"}, err
	}
	mend := of.mend
	if of.own {
		mend = p.command + " " + mend
	}
	if waiting > 0 {
		return finding{Level: warning, Says: fmt.Sprintf("%d lie there", waiting), Costs: of.costs, Mend: mend}, nil
	}
	return ok("none"), nil
}

// waiting is the approximate number of messages that lie on a queue.
func (p *patient) waiting(ctx context.Context, address string) (int, error) {
	out, err := p.queue().GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &address, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages},
	})
	if err != nil {
		return 0, fmt.Errorf("read the queue %s: %w", address, err)
	}
	return strconv.Atoi(out.Attributes[string(sqstypes.QueueAttributeNameApproximateNumberOfMessages)])
}

// endingSoon is when a certificate should have been renewed: ACM begins 60 days before the end, and warns at 45.
const endingSoon = 30 * 24 * time.Hour

// checkAddress checks the name and the certificate of an API's address. roots are the authorities to trust, nil for this
// machine's.
func checkAddress(ctx context.Context, address string, roots *x509.CertPool, now time.Time) (finding, error) {
	unreached := finding{Costs: "clients can't connect", Mend: "pulumi refresh && pulumi up, after docs/deploying.md"}
	u, err := url.Parse(address)
	if err != nil {
		return unreached, err
	}
	if u.Scheme == "ws" || u.Scheme == "http" {
		return ok("%s is on this machine, without a certificate", u.Host), nil
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: u.Hostname()}}
	socket, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if dns, is := errors.AsType[*net.DNSError](err); is {
		return unreached, fmt.Errorf("the name %s does not resolve (%s): is its record in the zone that the world asks? dig +trace %s", u.Hostname(), dns.Err, u.Hostname())
	}
	if err != nil {
		return unreached, fmt.Errorf("connect to %s: %w", u.Host, err)
	}
	defer socket.Close()
	ends := socket.(*tls.Conn).ConnectionState().PeerCertificates[0].NotAfter
	if left := ends.Sub(now); left < endingSoon {
		return finding{
			Level: warning, Says: fmt.Sprintf("the certificate of %s ends on %s", u.Hostname(), ends.Format(time.DateOnly)), Costs: "from then on clients can't connect",
			Mend: "aws acm list-certificates --includes keyTypes=RSA_2048,EC_prime256v1 # and see why it was not renewed",
		}, nil
	}
	return ok("%s resolves, its certificate ends on %s", u.Hostname(), ends.Format(time.DateOnly)), nil
}

// checkRoundTrip takes one message through a connection that it opens for that.
func (p *patient) checkRoundTrip(ctx context.Context) (finding, error) {
	token, err := p.token(ctx, p.w.now(), p.target, greeter, time.Minute)
	if errors.Is(err, errOthersKey) {
		return p.untried(), nil
	}
	broken := finding{Costs: "users get no messages", Mend: p.command + " hello"}
	if err != nil {
		return broken, err
	}
	user, err := p.userOf(token)
	if err != nil {
		return broken, err
	}
	silent, began := p.w, p.w.now()
	silent.stdout = io.Discard
	if err := p.hello(ctx, silent, token, user); err != nil {
		return broken, err
	}
	return ok("connected, sent, received and asked who is online in %v", p.w.now().Sub(began).Round(time.Millisecond)), nil
}

func (p *patient) checkAlarms(ctx context.Context) (finding, error) {
	list, err := listAlarms(ctx, cloudwatch.NewFromConfig(p.aws), p.TableName)
	if err != nil {
		return finding{Mend: p.command + " alarms"}, err
	}
	return p.firing(list), nil
}

// firing judges the alarms' states: what pages is a problem, the rest a warning. An alarm that notifies no one is only part of
// another's condition, and may fire on a healthy stack.
func (p *patient) firing(list []alarmState) finding {
	var names []string
	list = slices.DeleteFunc(slices.Clone(list), func(a alarmState) bool { return a.Severity == alarm.Silent })
	f := ok("none of %d fires", len(list))
	for _, a := range list {
		if a.State != "ALARM" {
			continue
		}
		names = append(names, a.Name)
		if f.Level == fine {
			f.Level = warning
		}
		if a.Severity == "page" {
			f.Level = problem
		}
	}
	if len(names) > 0 {
		f.Says, f.Costs, f.Mend = firsts(names)+" in ALARM", "each alarm's runbook says what users notice", p.command+" alarms"
	}
	return f
}
