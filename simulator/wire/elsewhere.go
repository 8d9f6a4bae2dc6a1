package wire

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

// Calls of unsupported services are refused in these services' own protocols, so that every client prints what is
// missing instead of failing on the response's form. Most protocols can be recognized from the request itself; the two
// that look alike, REST with JSON and with XML, are distinguished by the service for which the request was signed.
//
// https://smithy.io/2.0/aws/protocols/index.html

// restXML are the services that use REST with XML, by signing name.
var restXML = map[string]bool{"s3": true, "s3express": true, "s3-object-lambda": true, "s3-outposts": true, "route53": true, "cloudfront": true}

// foreignProtocol is the protocol of a request to an unsupported service.
func foreignProtocol(r *http.Request, service string) protocol {
	switch p := protocolOf(r); {
	case p != queryProtocol:
		return p
	case service == "ec2":
		return ec2Protocol
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		return queryProtocol
	case restXML[service]:
		return restXMLProtocol
	}
	return restJSONProtocol
}

// foreign refuses a call of an unsupported service, with a hint where to look instead.
func (e *Endpoint) foreign(r *http.Request, a *answer, service string) error {
	a.protocol = foreignProtocol(r, service)
	a.service = Service{Name: service}
	if kind := r.Header.Get("Content-Type"); strings.HasPrefix(kind, "application/x-amz-json-") {
		a.service.JSONVersion = strings.TrimPrefix(kind, "application/x-amz-json-")
	}
	instead := "set the endpoint URL for the served ones only, and AWS answers the rest"
	if e.options.Elsewhere != nil {
		instead = cmp.Or(e.options.Elsewhere(service), instead)
	}
	err := &Error{
		Code: "UnknownOperationException", QueryCode: "InvalidAction",
		Message: fmt.Sprintf("the service %q is not simulated: %s (served are: %s)", service, instead, strings.Join(e.names(), ", ")),
	}
	if a.protocol == jsonProtocol || a.protocol == cborProtocol {
		err.Prefix = Coral
	}
	return err
}

// foreignError is the body of an error in a protocol that no registered service uses.
func (a *answer) foreignError(e *Error) []byte {
	w := &xmlWriter{}
	w.WriteString(xml.Header)
	switch {
	case a.protocol == ec2Protocol:
		w.WriteString("<Response><Errors><Error>")
		w.text("Code", e.QueryName())
		w.text("Message", e.Message)
		w.WriteString("</Error></Errors>")
		w.text("RequestID", a.requestID)
		w.close("Response")
	case strings.HasPrefix(a.service.Name, "s3"): // only S3 has no ErrorResponse around its Error
		w.open("Error")
		w.text("Code", e.QueryName())
		w.text("Message", e.Message)
		w.text("RequestId", a.requestID)
		w.close("Error")
	default:
		return queryError(a.service, a.requestID, e)
	}
	return w.Bytes()
}
