package cloud

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"

	"heliograph/simulator/fault"
	"heliograph/simulator/iam"
	"heliograph/simulator/wire"
)

// guard checks every AWS call before it reaches its service.
type guard struct {
	roles   *iam.Roles
	journal *Journal
	effects *effects
	key     string // of the account's user; empty: any
}

// before judges a call first by its access key, then by the caller's policies, then by the faults, so that a missing
// permission shows even while the service is down.
func (g guard) before(ctx context.Context, call wire.Call) error {
	caller, isRole := g.roles.Owner(call.AccessKey)
	if !isRole && g.key != "" && subtle.ConstantTimeCompare([]byte(call.AccessKey), []byte(g.key)) == 0 {
		return wire.UnknownKey(call)
	}
	if err := g.roles.Check(call.AccessKey, call.Permission, call.Resources, call.Values); err != nil {
		g.journal.deny(err.Error())
		return wire.AccessDenied(call, err.Error())
	}
	return g.effects.meet(ctx, fault.Event{
		Service: fault.Service(call.Service), Action: actionOf(call), Resources: call.Resources, Caller: string(caller),
	})
}

// connectionActions are the actions of the @connections API by method. IAM treats them as one action.
var connectionActions = map[string]string{
	http.MethodPost: "PostToConnection", http.MethodGet: "GetConnection", http.MethodDelete: "DeleteConnection",
}

// actionOf is the action of a call. For an @connections call it follows from the ARN:
// …:<api>/<stage>/<method>/@connections/<id>.
func actionOf(call wire.Call) string {
	if fault.Service(call.Service) != fault.Connections {
		return call.Action
	}
	parts := strings.Split(call.Resources[0], "/")
	return connectionActions[parts[2]]
}
