package direct

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
)

// refusalOf reads an error from the answer to a call, in either form of AWS's JSON protocols.
func refusalOf(response *http.Response, body []byte, call *call) error {
	var said struct {
		Type    string `json:"__type"`
		Code    string
		Message string // in either case
	}
	err := json.Unmarshal(body, &said)
	code := plainCode(cmp.Or(response.Header.Get("X-Amzn-Errortype"), said.Type, said.Code))
	switch typed := call.refusal(code, said.Message); {
	case typed != nil:
		return typed
	case err != nil && len(body) > 0: // a proxy in between answers in its own way
		return &smithy.DeserializationError{Err: err}
	}
	return &smithy.GenericAPIError{Code: cmp.Or(code, "UnknownError"), Message: said.Message} // the SDK's word
}

// plainCode takes namespace and address off a code: com.amazonaws.dynamodb#ThrottlingException, GoneException:http://….
func plainCode(code string) string {
	code, _, _ = strings.Cut(code, ":")
	return code[strings.LastIndexByte(code, '#')+1:]
}
