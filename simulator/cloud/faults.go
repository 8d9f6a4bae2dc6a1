package cloud

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"

	"heliograph/simulator/fault"
)

// FaultsPath is the path, under the AWS endpoint, for listing faults (GET, []fault.Status), adding one (POST of a
// fault.Rule as application/json, 201 with the fault.Status) and removing them (DELETE for all, or of FaultsPath/<id>).
// POST and DELETE need the header loopback.WriteHeader.
const FaultsPath = "/_heliograph/faults"

// FaultError is the body of an answer that refuses a request under FaultsPath.
type FaultError struct {
	Error string `json:"error"`
}

// maxRule is the largest body of a rule, in bytes.
const maxRule = 16 << 10

// faultsAPI serves a set of faults under FaultsPath.
type faultsAPI struct {
	faults  *fault.Set
	journal *Journal
}

func (a faultsAPI) handle(mux *http.ServeMux) {
	mux.HandleFunc("GET "+FaultsPath, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, a.journal, http.StatusOK, a.faults.List())
	})
	mux.HandleFunc("POST "+FaultsPath, a.add)
	mux.HandleFunc("DELETE "+FaultsPath, func(w http.ResponseWriter, _ *http.Request) {
		a.faults.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE "+FaultsPath+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		if err := a.faults.Remove(fault.ID(r.PathValue("id"))); err != nil {
			a.refuse(w, http.StatusNotFound, err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// add takes a rule as JSON. Package loopback keeps out requests from pages of other origins.
func (a faultsAPI) add(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		a.refuse(w, http.StatusUnsupportedMediaType, "the Content-Type must be application/json")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRule))
	var rule fault.Rule
	if err == nil {
		rule, err = fault.Parse(body)
	}
	if err == nil {
		rule.ID, err = a.faults.Add(rule)
	}
	if err != nil {
		a.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, a.journal, http.StatusCreated, fault.Status{Rule: rule})
}

func (a faultsAPI) refuse(w http.ResponseWriter, status int, reason string) {
	writeJSON(w, a.journal, status, FaultError{reason})
}

func writeJSON(w http.ResponseWriter, journal *Journal, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		journal.Problem("an answer was not sent: " + err.Error())
	}
}
