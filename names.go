package heliograph

// The functions' short names: the folders of handlers/, the values of the metric dimension Function, and the ends of the
// functions' physical names.
const (
	Announce   = "announce"
	Authorizer = "authorizer"
	Connect    = "connect"
	Disconnect = "disconnect"
	Hello      = "hello"
	Online     = "online"
	Send       = "send"
	Sweep      = "sweep"
)

// Functions are all functions of a stack, by their short names and sorted. The slice is the caller's own.
func Functions() []string {
	return []string{Announce, Authorizer, Connect, Disconnect, Hello, Online, Send, Sweep}
}

// MaxQueued is the largest message that a stack's queues take, in bytes, its attributes included. infra/stack sets it, and
// delivery reckons with it how much room a follow-up has.
const MaxQueued = 256 << 10

// The keys of the context that the authorizer attaches to a request and that the other functions read. API Gateway
// hands the values on as strings.
const (
	ContextUserID       = "userId"
	ContextTokenExpires = "tokenExpires" // Unix seconds
	// ContextSubprotocol is SubprotocolV1 for a client that offers it; otherwise it is missing.
	ContextSubprotocol = "subprotocol"
	// ContextMayQuery is Anyone for a token that may ask about every user's presence; otherwise it is missing.
	ContextMayQuery = "mayQuery"
)

// The values of the configuration key onlineQuery: about whom a token may ask. Own is about its own user only, and Claim
// is the same, except for tokens with a certain claim.
const (
	Anyone = "anyone"
	Claim  = "claim"
	Own    = "self"
)

// The SSM parameters of a stack, below its parameter prefix. The first three are the contract of the system that
// Heliograph replaces.
const (
	ParameterJWTSecret         = "/JwtSecret"
	ParameterSendQueueURL      = "/SendMessageQueueUrl"
	ParameterEventTopicARN     = "/EventBusEndpoint"
	ParameterJWTSecretPrevious = "/JwtSecretPrevious"
)

// Outputs locate a stack and state the tokens that it takes: `pulumi stack output --json` prints them, and
// .heliograph/local.json holds them for the local stack.
type Outputs struct {
	WebSocketURL       string `json:"webSocketUrl"`       // for devices: wss://…, without a query string
	HTTPURL            string `json:"httpUrl"`            // base of GET /user/online: https://…, no slash at the end
	SendQueueURL       string `json:"sendQueueUrl"`       // the queue that takes messages
	SendQueueARN       string `json:"sendQueueArn"`       // the same, for policies, rules and subscriptions
	DeadLetterQueueURL string `json:"deadLetterQueueUrl"` // the queue of messages that could not be delivered
	EventTopicARN      string `json:"eventTopicArn"`      // the SNS topic of presence events and receipts
	TableName          string `json:"tableName"`          // the DynamoDB table of connections and presence
	DashboardURL       string `json:"dashboardUrl"`       // the dashboard: CloudWatch's, or the local console
	Region             string `json:"region"`             // the AWS Region
	ParameterPrefix    string `json:"parameterPrefix"`    // what the names of the SSM parameters start with
	UserIDClaim        string `json:"userIdClaim"`        // the claim of a token that names the user
	JWTIssuer          string `json:"jwtIssuer"`          // required iss of a token; empty: any
	JWTAudience        string `json:"jwtAudience"`        // required audience of a token; empty: any
	JWTAudienceClaim   string `json:"jwtAudienceClaim"`   // the claim of a token that names its audience
	JWKSURL            string `json:"jwksUrl"`            // the keys that sign tokens; empty: the secret in SSM does
}
