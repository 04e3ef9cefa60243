package archtest

import (
	"slices"
	"sync"
)

// sandboxPattern matches the vendors' sandboxes and what belongs to them.
const sandboxPattern = "pkg/connector/*/sandbox/..."

// Other modules, by what they are for.
const (
	decimals  = "github.com/shopspring/decimal"
	yaml      = "gopkg.in/yaml.v3"
	sqlite    = "modernc.org/sqlite"
	cobra     = "github.com/spf13/cobra"
	framework = "github.com/GoogleCloudPlatform/functions-framework-go"
	syncx     = "golang.org/x/sync"
	rate      = "golang.org/x/time/rate"
	grpc      = "google.golang.org/grpc"
	protobuf  = "google.golang.org/protobuf"
	googleAPI = "google.golang.org/api"
	gax       = "github.com/googleapis/gax-go/v2"
	cloudSDK  = "cloud.google.com/go"
	fakeGCS   = "github.com/fsouza/fake-gcs-server"
	mail      = "github.com/wneessen/go-mail"
	otel      = "go.opentelemetry.io"
)

// testModules may be used by every test.
func testModules() []string { return []string{"github.com/google/go-cmp", "pgregory.net/rapid"} }

// reservedStandard lists packages of the standard library that only rows naming them, and tests, may use.
func reservedStandard() []string {
	return []string{"testing", "testing/fstest", "testing/quick", "net/http/httptest", "os/exec", "plugin", "unsafe", "math/rand",
		"database/sql"}
}

// importTable says what each package may import: the first row that matches decides. The direction is
//
//	functions → route → engine → plan → settings → money
//	engine → connector (contracts) → billing → money;  engine → store, bus, blob, secret, journal (contracts)
//	connector/<vendor> → connector, billing, httpx, oauth;  functions → the cloud and embedded implementations
var importTable = sync.OnceValue(func() []row {
	return slices.Concat(coreRows(), connectorRows(), serviceRows(), engineRows(), outerRows())
})

// coreRows are the values and decisions: nothing here does any I/O.
func coreRows() []row {
	return []row{
		{pkg: "pkg/money", third: []string{decimals}},
		{pkg: "pkg/billing", module: []string{"pkg/money"}, third: []string{decimals}},
		{pkg: "pkg/settings", module: []string{"pkg/money"}, third: []string{decimals}, test: []string{yaml}},
		{pkg: "pkg/settings/gen/...", module: []string{"pkg/settings", "pkg/settings/gen/...", "pkg/money"}, third: []string{yaml}},
		{pkg: "pkg/plan", module: []string{"pkg/billing", "pkg/money", "pkg/settings"}, third: []string{decimals}},
		{pkg: "pkg/clock"},
		{pkg: "pkg/logging"},
		{pkg: "pkg/meter"},
		{pkg: "pkg/server", module: []string{"pkg/clock", "pkg/logging", "pkg/meter"}},
		{pkg: "pkg/telemetry", module: []string{"pkg/clock", "pkg/logging", "pkg/meter"}, third: []string{otel, grpc}},
		{pkg: "pkg/telemetry/telemetrytest", third: []string{otel, grpc, protobuf}, support: true},
	}
}

// connectorRows are the vendors. A vendor knows itself, the contracts and the shared client, and is handed its own small
// configuration; it knows no other vendor, no plan, no engine, no store and no settings.
func connectorRows() []row {
	return []row{
		{pkg: "pkg/httpx/...", module: []string{"pkg/clock", "pkg/connector", "pkg/logging"}, third: []string{rate, syncx}},
		{pkg: "pkg/oauth/...", module: []string{"pkg/clock", "pkg/connector", "pkg/httpx", "pkg/secret", "pkg/store"}, third: []string{syncx}},
		{pkg: "pkg/connector", module: []string{"pkg/billing", "pkg/money"}, third: []string{decimals}},
		{pkg: "pkg/connector/connectortest/...", support: true, third: []string{decimals, "github.com/google/go-cmp", "pgregory.net/rapid"},
			module: []string{"pkg/connector", "pkg/connector/connectortest/...", "pkg/billing", "pkg/money", "pkg/clock", "pkg/sandbox"}},
		{pkg: "pkg/sandbox", module: []string{"pkg/clock"}, std: []string{"net/http/httptest"}},
		{pkg: sandboxPattern, module: []string{own, "pkg/sandbox", "pkg/clock", "pkg/money", "pkg/billing"},
			third: []string{decimals}, std: []string{"net/http/httptest"}},
		{pkg: "pkg/connector/*/...", third: []string{decimals, syncx, rate, yaml},
			module: []string{own, "pkg/connector", "pkg/billing", "pkg/money", "pkg/httpx", "pkg/oauth", "pkg/clock", "pkg/secret", "pkg/logging"}},
	}
}

// serviceRows are the contracts towards the platform and their implementations; a cloud SDK stays in its own.
func serviceRows() []row {
	suite := []string{"github.com/google/go-cmp", "pgregory.net/rapid"}
	return []row{
		{pkg: "pkg/store", module: []string{"pkg/billing"}},
		{pkg: "pkg/store/internal/...", module: []string{"pkg/store", "pkg/store/internal/..."}},
		{pkg: "pkg/store/storetest/...", module: []string{"pkg/store", "pkg/clock"}, third: suite, support: true},
		{pkg: "pkg/store/overlay", module: []string{"pkg/store", "pkg/store/internal/..."}},
		{pkg: "pkg/store/sqlite", module: []string{"pkg/store", "pkg/store/internal/...", "pkg/clock"}, third: []string{sqlite, syncx},
			std: []string{"database/sql"}},
		{pkg: "pkg/store/firestore", module: []string{"pkg/store", "pkg/store/internal/...", "pkg/clock"}, test: []string{cloudSDK},
			third: []string{cloudSDK + "/firestore", grpc, protobuf, googleAPI, gax, syncx}},

		{pkg: "pkg/bus"},
		{pkg: "pkg/bus/internal/...", module: []string{"pkg/bus", "pkg/bus/internal/..."}},
		{pkg: "pkg/bus/bustest/...", module: []string{"pkg/bus", "pkg/clock"}, third: suite, support: true},
		{pkg: "pkg/bus/queue", module: []string{"pkg/bus", "pkg/bus/internal/...", "pkg/clock"}, third: []string{syncx},
			std: []string{"database/sql"}, test: []string{sqlite}},
		{pkg: "pkg/bus/pubsub", module: []string{"pkg/bus", "pkg/bus/internal/...", "pkg/clock"}, test: []string{cloudSDK},
			third: []string{cloudSDK + "/pubsub/v2", grpc, protobuf, googleAPI, gax, syncx}},

		{pkg: "pkg/blob"},
		{pkg: "pkg/blob/internal/...", module: []string{"pkg/blob", "pkg/blob/internal/..."}},
		{pkg: "pkg/blob/blobtest/...", module: []string{"pkg/blob", "pkg/clock"}, third: suite, support: true},
		{pkg: "pkg/blob/files", module: []string{"pkg/blob", "pkg/blob/internal/...", "pkg/clock"}},
		{pkg: "pkg/blob/gcs", module: []string{"pkg/blob", "pkg/blob/internal/...", "pkg/clock"}, test: []string{fakeGCS},
			third: []string{cloudSDK + "/storage", googleAPI, gax, grpc}},

		{pkg: "pkg/secret"},
		{pkg: "pkg/secret/internal/...", module: []string{"pkg/secret", "pkg/secret/internal/...", "pkg/clock"}},
		{pkg: "pkg/secret/secrettest/...", module: []string{"pkg/secret", "pkg/clock"}, third: suite, support: true},
		{pkg: "pkg/secret/secretmanager", module: []string{"pkg/secret", "pkg/secret/internal/...", "pkg/clock"},
			third: []string{cloudSDK + "/secretmanager", googleAPI, gax, grpc, protobuf, syncx}},
		{pkg: "pkg/secret/*", module: []string{"pkg/secret", "pkg/secret/internal/...", "pkg/clock"}, third: []string{syncx}},

		{pkg: "pkg/pushauth/...", module: []string{"pkg/clock", "pkg/bus"}, third: []string{googleAPI}},
		{pkg: "pkg/emulator", module: []string{"pkg/clock"}, third: []string{googleAPI, grpc}, test: []string{cloudSDK}, support: true},
	}
}

// engineRows put the parts together: contracts, never implementations.
func engineRows() []row {
	contracts := []string{"pkg/store", "pkg/bus", "pkg/blob", "pkg/secret", "pkg/connector"}
	values := []string{"pkg/billing", "pkg/money", "pkg/settings", "pkg/plan", "pkg/record", "pkg/clock", "pkg/logging", "pkg/meter"}
	journalled := slices.Concat(contracts, values, []string{"pkg/journal"})
	return []row{
		{pkg: "pkg/record", module: []string{"pkg/billing", "pkg/money", "pkg/settings", "pkg/plan", "pkg/store"}},
		{pkg: "pkg/journal", module: []string{"pkg/billing", "pkg/money", "pkg/plan", "pkg/record", "pkg/store", "pkg/clock"}},
		{pkg: "pkg/engine/enginetest", module: slices.Concat(journalled, []string{"pkg/engine"}), third: []string{decimals}, support: true},
		{pkg: "pkg/engine/...", module: slices.Concat(journalled, []string{"pkg/engine/..."}), third: []string{decimals, syncx}},
		{pkg: "pkg/retention", module: []string{"pkg/billing", "pkg/blob", "pkg/clock", "pkg/journal", "pkg/record", "pkg/store"}},
		{pkg: "pkg/schedule", module: []string{"pkg/clock", "pkg/record", "pkg/store"}},
		{pkg: "pkg/issue", module: slices.Concat(values, []string{"pkg/store"}), third: []string{decimals}},
		{pkg: "pkg/digest", module: slices.Concat(values, []string{"pkg/store", "pkg/secret", "pkg/issue"}), third: []string{decimals, mail}},
		{pkg: "pkg/reconcile/...", module: slices.Concat(journalled, []string{"pkg/reconcile/..."}), third: []string{decimals, syncx}},
		{pkg: "pkg/gauge", module: []string{"pkg/clock", "pkg/issue", "pkg/journal", "pkg/meter", "pkg/record", "pkg/schedule", "pkg/store"}},
		{pkg: "pkg/config/...", module: []string{"pkg/settings", "pkg/money", "pkg/secret"}, third: []string{yaml}},
		{pkg: "pkg/route/...", third: []string{syncx}, module: slices.Concat(journalled, []string{"pkg/engine/...", "pkg/reconcile/...",
			"pkg/route/...", "pkg/config/...", "pkg/connector/*/...", "pkg/httpx", "pkg/oauth"})},
	}
}

// outerRows are what is allowed to know everything. Only the main packages and what belongs to them start sandboxes:
// demo and bench are given addresses.
func outerRows() []row {
	all := []string{"pkg/...", "functions/..."}
	return []row{
		{pkg: "pkg"}, // the tour of the packages
		{pkg: "pkg/infra", module: []string{"pkg/bus", "pkg/config", "pkg/meter", "pkg/store"}, test: []string{googleAPI, yaml}},
		{pkg: "pkg/archtest", third: nil},
		{pkg: "pkg/demo/...", module: all, third: []string{decimals, syncx}, std: []string{"os/exec"}},
		{pkg: "pkg/bench/...", module: all, third: []string{decimals, syncx}, std: []string{"os/exec"}},
		{pkg: "pkg/simulation/...", module: all, sandboxes: true, fakes: true, third: []string{decimals}, std: []string{"net/http/httptest", "math/rand"}},
		{pkg: "functions/localcloud", module: all, sandboxes: true, std: []string{"os/exec", "net/http/httptest", "testing"}, support: true,
			third: []string{cloudSDK, googleAPI, grpc, protobuf, fakeGCS}},
		{pkg: "functions/...", module: all, sandboxes: true, std: []string{"database/sql", "os/exec"}, test: []string{fakeGCS},
			third: []string{cobra, framework, cloudSDK, googleAPI, grpc, protobuf, gax, syncx, rate, decimals, yaml, sqlite}},
	}
}
