package heliograph_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

// workflows are the workflows of GitHub Actions by their files.
func workflows(t *testing.T) map[string]*actionlint.Workflow {
	t.Helper()
	all := map[string]*actionlint.Workflow{}
	for _, file := range tracked(t, ".github/workflows/*.yml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, faults := actionlint.Parse(text)
		if len(faults) > 0 {
			t.Fatalf("%s: %v", file, faults[0])
		}
		all[file] = parsed
	}
	if len(all) < 5 {
		t.Fatalf("only %d workflows were found: the test looks in the wrong place", len(all))
	}
	return all
}

// eachJob calls a check for each job of each workflow.
func eachJob(t *testing.T, check func(t *testing.T, job *actionlint.Job)) {
	t.Helper()
	for file, workflow := range workflows(t) {
		for id, job := range workflow.Jobs {
			t.Run(file+"/"+id, func(t *testing.T) { check(t, job) })
		}
	}
}

// actions are the steps of a job that run an action.
func actions(job *actionlint.Job) (all []*actionlint.ExecAction) {
	for _, step := range job.Steps {
		if action, is := step.Exec.(*actionlint.ExecAction); is {
			all = append(all, action)
		}
	}
	return all
}

var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)

// TestActionsArePinned proves that a workflow runs actions that were reviewed: by commit, with the version beside it for
// the reader and the update bot.
func TestActionsArePinned(t *testing.T) {
	t.Parallel()
	eachJob(t, func(t *testing.T, job *actionlint.Job) {
		for _, action := range actions(job) {
			if !pinned.MatchString(action.Uses.Value) {
				t.Errorf("uses %s: name a commit, 40 digits", action.Uses.Value)
			}
		}
	})
	noted := regexp.MustCompile(`@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for file := range workflows(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "uses: ") && !strings.Contains(line, "uses: ./") && !noted.MatchString(strings.TrimSpace(line)) {
				t.Errorf("%s: %s: name the action's version in a comment", file, strings.TrimSpace(line))
			}
		}
	}
}

// TestWorkflowsHaveLeastPermissions proves that a token may do nothing that its job does not name, and that a job that
// may write to the repository runs none of its code.
func TestWorkflowsHaveLeastPermissions(t *testing.T) {
	t.Parallel()
	for file, workflow := range workflows(t) {
		if p := workflow.Permissions; p == nil || p.All != nil || len(p.Scopes) > 0 {
			t.Errorf("%s: begin with `permissions: {}`, and name at each job what it needs", file)
		}
	}
	eachJob(t, func(t *testing.T, job *actionlint.Job) {
		if job.Permissions == nil || job.Permissions.All != nil {
			t.Error("the job names no permissions of its own")
			return
		}
		runsOurs := slices.ContainsFunc(actions(job), func(a *actionlint.ExecAction) bool { return strings.HasPrefix(a.Uses.Value, "actions/checkout@") })
		for name, scope := range job.Permissions.Scopes {
			if runsOurs && scope.Value.Value == "write" && name != "id-token" {
				t.Errorf("the job checks the repository out and may write %s: write in a job of its own", name)
			}
		}
	})
}

// TestWorkflowsTrustNoText proves that no text that a stranger may choose becomes code, and that no token is left where
// code of the repository can read it.
func TestWorkflowsTrustNoText(t *testing.T) {
	t.Parallel()
	for file, workflow := range workflows(t) {
		for _, event := range workflow.On {
			if slices.Contains([]string{"pull_request_target", "workflow_run", "issue_comment"}, event.EventName()) {
				t.Errorf("%s runs on %s, with the repository's rights and a stranger's input", file, event.EventName())
			}
		}
	}
	eachJob(t, func(t *testing.T, job *actionlint.Job) {
		for _, step := range job.Steps {
			if run, is := step.Exec.(*actionlint.ExecRun); is && strings.Contains(run.Run.Value, "${{") {
				t.Errorf("an expression in `run: %s`: pass it in `env`", run.Run.Value)
			}
		}
		for _, action := range actions(job) {
			kept := action.Inputs["persist-credentials"]
			if strings.HasPrefix(action.Uses.Value, "actions/checkout@") && (kept == nil || kept.Value.Value != "false") {
				t.Error("the checkout leaves its token in .git/config: persist-credentials: false")
			}
		}
	})
}

// TestOnlyPullRequestsTakeCaches proves that what deploys, compares or releases builds from nothing that a pull request's
// run could have left: setup-go caches unless told not to.
func TestOnlyPullRequestsTakeCaches(t *testing.T) {
	t.Parallel()
	checked := 0
	for file, workflow := range workflows(t) {
		if slices.ContainsFunc(workflow.On, func(e actionlint.Event) bool { return e.EventName() == "pull_request" }) {
			continue
		}
		for id, job := range workflow.Jobs {
			for _, action := range actions(job) {
				name, _, _ := strings.Cut(action.Uses.Value, "@")
				cached := action.Inputs["cache"]
				switch {
				case name == "actions/cache", strings.HasPrefix(name, "actions/cache/"):
					t.Errorf("%s/%s uses %s: a pull request could have filled it", file, id, name)
				case strings.HasPrefix(name, "actions/setup-"):
					checked++
					if cached == nil || cached.Value.Value != "false" {
						t.Errorf("%s/%s uses %s without `cache: false`", file, id, name)
					}
				}
			}
		}
	}
	if checked < 4 {
		t.Errorf("only %d steps set up a toolchain: the test looks in the wrong place", checked)
	}
}

// TestJobsEnd proves that each job has a time limit, and that none that touches AWS is cancelled halfway, except a preview.
func TestJobsEnd(t *testing.T) {
	t.Parallel()
	eachJob(t, func(t *testing.T, job *actionlint.Job) {
		if job.TimeoutMinutes == nil && job.WorkflowCall == nil {
			t.Error("the job has no timeout-minutes")
		}
		if job.Environment == nil || slices.Contains([]string{"preview", "release"}, job.Environment.Name.Value) {
			return
		}
		if c := job.Concurrency; c == nil || c.CancelInProgress == nil || c.CancelInProgress.Value {
			t.Error("the job needs a concurrency group of its stack, with cancel-in-progress: false")
		}
	})
}

// TestRedaction proves that the copy of a stack that a pull request's code sees holds no secret, not even an encrypted one,
// and all the rest.
func TestRedaction(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("jq"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs jq: apt-get install jq")
	}
	const config = "secretsprovider: awskms://alias/heliograph-dev\nencryptedkey: KEY\nconfig:\n  aws:region: eu-west-1\n" +
		"  heliograph:jwtSecret:\n    secure: v1:CIPHER\n  # a comment\n  heliograph:severities:\n    \"*\": ticket\n  heliograph:logLevel: debug\n"
	const state = `{"version":3,"checkpoint":{"stack":"dev","latest":{"manifest":{"version":"v3"},"secrets_providers":{"type":"cloud","state":{"encryptedkey":"KEY"}},` +
		`"resources":[{"urn":"u","inputs":{"name":"n","value":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"v1:CIPHER"}}}]}}}`
	for _, test := range []struct{ what, in, want string }{
		{"config", config, "config:\n  aws:region: eu-west-1\n  # a comment\n  heliograph:severities:\n    \"*\": ticket\n  heliograph:logLevel: debug\n"},
		{"keys", config, "heliograph:jwtSecret\n"},
		{"state", state, `{"version":3,"deployment":{"manifest":{"version":"v3"},"resources":[{"urn":"u","inputs":{"name":"n","value":` +
			`{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","plaintext":"\"in its place\""}}}]}}` + "\n"},
	} {
		command := exec.Command("bash", "-c", `.github/scripts/redact.sh "$1" | if [ "$1" = state ]; then jq -c .; else cat; fi`, "redact", test.what)
		command.Env = append(os.Environ(), "PLACEHOLDER=in its place")
		command.Stdin = strings.NewReader(test.in)
		if out, err := command.Output(); err != nil || string(out) != test.want {
			t.Errorf("%s: got\n%s%v; want\n%s", test.what, out, err, test.want)
		}
	}
}
