package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// check refuses a CORS configuration that API Gateway would refuse.
func (c *CORS) check() error {
	if c == nil {
		return nil
	}
	for _, list := range [][]string{c.AllowHeaders, c.AllowMethods, c.AllowOrigins, c.ExposeHeaders} {
		if c.AllowCredentials && slices.Contains(list, "*") {
			return badRequest("Wildcard characters are not allowed in a CORS configuration when allowCredentials is set to true")
		}
	}
	for _, origin := range c.AllowOrigins {
		if _, host, _ := strings.Cut(origin, "://"); origin != "*" && host != "*" && strings.Contains(origin, "*") {
			return badRequest("the origin %s would match nothing: the only wildcards are *, https://* and http://*", origin)
		}
		if origin != "*" && !strings.HasPrefix(origin, "http://") && !strings.HasPrefix(origin, "https://") {
			return badRequest("Invalid format for origin %s", origin)
		}
	}
	if c.MaxAge < -1 || c.MaxAge > 86400 {
		return badRequest("the maximum age %d of the CORS configuration is not from -1 to 86400", c.MaxAge)
	}
	return nil
}

// allows returns the Access-Control-Allow-Origin for an origin, or "" if the origin is not allowed.
func (c *CORS) allows(origin string) string {
	for _, allowed := range c.AllowOrigins {
		switch {
		case allowed == "*":
			return "*"
		case allowed == origin,
			allowed == "https://*" && strings.HasPrefix(origin, "https://"),
			allowed == "http://*" && strings.HasPrefix(origin, "http://"):
			return origin
		}
	}
	return ""
}

// preflight answers a CORS preflight request, which needs no route. It reports false for any other request.
func (c *CORS) preflight(w http.ResponseWriter, r *http.Request) bool {
	if c == nil || r.Method != http.MethodOptions || r.Header.Get("Origin") == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if c.decorate(w.Header(), r) {
		h := w.Header()
		setList(h, "Access-Control-Allow-Methods", c.AllowMethods)
		setList(h, "Access-Control-Allow-Headers", c.AllowHeaders)
		if c.MaxAge > 0 {
			h.Set("Access-Control-Max-Age", strconv.Itoa(c.MaxAge))
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// decorate replaces the function's CORS headers with the API's own. It reports false if the origin is not allowed.
func (c *CORS) decorate(h http.Header, r *http.Request) bool {
	if c == nil {
		return false
	}
	for name := range h { // where the API has a configuration, the function's own headers are dropped
		if strings.HasPrefix(name, "Access-Control-") {
			h.Del(name)
		}
	}
	allowed := ""
	if origin := r.Header.Get("Origin"); origin != "" {
		allowed = c.allows(origin)
	}
	if allowed == "" {
		return false
	}
	h.Set("Access-Control-Allow-Origin", allowed)
	if allowed != "*" {
		h.Add("Vary", "Origin")
	}
	if c.AllowCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	setList(h, "Access-Control-Expose-Headers", c.ExposeHeaders)
	return true
}

func setList(h http.Header, name string, values []string) {
	if len(values) > 0 {
		h.Set(name, strings.Join(values, ","))
	}
}
