// Package emulator starts Google's Firestore and Pub/Sub emulators for tests, straight from the jars of an installed
// Cloud SDK (gcp-go-stack 2.1). It is for tests only: nothing else may import it.
//
// Each emulator is started at most once per test process, by the first test that asks, and ends with that process, even
// when it is killed. Tests keep apart by using a project of their own (Project).
//
// When no java or no jar is found the test is skipped with a message. REQUIRE_EMULATORS=1, or CI=true without
// REQUIRE_EMULATORS=0, makes that a failure instead.
package emulator

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// errMissing says that the machine lacks what an emulator needs; any other error is an emulator that does not start.
var errMissing = errors.New("emulator is not installed")

// kind is one of the emulators.
type kind struct {
	name    string                    // for messages
	hostEnv string                    // names a running emulator to use instead
	jarEnv  string                    // names the jar
	jars    string                    // pattern of the jar below the SDK's root
	java    func(jar string) []string // arguments for java, before host and port
}

func firestoreKind() kind {
	return kind{
		name: "Firestore", hostEnv: "FIRESTORE_EMULATOR_HOST", jarEnv: "ARBRIDGE_FIRESTORE_JAR",
		jars: "platform/cloud-firestore-emulator/*.jar",
		java: func(jar string) []string {
			return []string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.language=en", "-cp", jar,
				"com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start"}
		},
	}
}

func pubsubKind() kind {
	return kind{
		name: "Pub/Sub", hostEnv: "PUBSUB_EMULATOR_HOST", jarEnv: "ARBRIDGE_PUBSUB_JAR",
		jars: "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
		java: func(jar string) []string {
			return []string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.language=en", "-jar", jar}
		},
	}
}

// The memoised starts: the one emulator of each kind that this process has.
var (
	startedFirestore = sync.OnceValues(func() (string, error) { return start(firestoreKind()) })
	startedPubSub    = sync.OnceValues(func() (string, error) { return start(pubsubKind()) })
)

// Firestore returns host:port of a running Firestore emulator: the one FIRESTORE_EMULATOR_HOST names, else one started
// from the jar that ARBRIDGE_FIRESTORE_JAR names or that an installed Cloud SDK holds. Connect with Options.
func Firestore(t testing.TB) string {
	t.Helper()
	return settle(t, firestoreKind(), startedFirestore)
}

// PubSub returns host:port of a running Pub/Sub emulator: the one PUBSUB_EMULATOR_HOST names, else one started from the
// jar that ARBRIDGE_PUBSUB_JAR names or that an installed Cloud SDK holds. Connect with Options.
func PubSub(t testing.TB) string {
	t.Helper()
	return settle(t, pubsubKind(), startedPubSub)
}

// Options are the client options for an emulator: plain text, no credentials.
func Options(hostport string) []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(hostport),
		option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}

// Project is a random project id, so that a test sees no data but its own.
func Project(t testing.TB) string {
	t.Helper()
	return "test-" + strings.ToLower(rand.Text()[:16])
}

func settle(t testing.TB, k kind, started func() (string, error)) string {
	t.Helper()
	if host := os.Getenv(k.hostEnv); host != "" {
		return host
	}
	host, err := started()
	switch {
	case err == nil:
		return host
	case errors.Is(err, errMissing) && !required(os.Getenv):
		t.Skipf("SKIPPED, NOT TESTED: %v. Install java and the Cloud SDK's emulator, or set %s to its jar, or %s to a running one.",
			err, k.jarEnv, k.hostEnv)
	default:
		t.Fatalf("%s emulator: %v (set %s to its jar, or %s to a running one)", k.name, err, k.jarEnv, k.hostEnv)
	}
	return ""
}

// required reports whether a missing emulator is a failure.
func required(getenv func(string) string) bool {
	switch getenv("REQUIRE_EMULATORS") {
	case "1", "true":
		return true
	case "0", "false":
		return false
	}
	return getenv("CI") == "true"
}

// findJar gives the jar of an emulator: the one named by its variable, else the newest by name of the first SDK that
// has one.
func findJar(k kind, getenv func(string) string, roots []string) (string, error) {
	if jar := getenv(k.jarEnv); jar != "" {
		if _, err := os.Stat(jar); err != nil {
			return "", fmt.Errorf("%s: %w", k.jarEnv, err)
		}
		return jar, nil
	}
	for _, root := range roots {
		found, err := filepath.Glob(filepath.Join(root, k.jars))
		if err != nil {
			return "", fmt.Errorf("looking for the %s emulator in %s: %w", k.name, root, err)
		}
		if len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%w: no %s in %s", errMissing, k.jars, strings.Join(roots, ", "))
}

// sdkRoots lists the folders where a Cloud SDK may be. gcloud is the path of the command, empty when there is none.
func sdkRoots(getenv func(string) string, gcloud string) []string {
	var roots []string
	if root := getenv("CLOUDSDK_ROOT_DIR"); root != "" {
		roots = append(roots, root)
	}
	if gcloud != "" {
		if real, err := filepath.EvalSymlinks(gcloud); err == nil {
			roots = append(roots, filepath.Dir(filepath.Dir(real)))
		}
	}
	roots = append(roots, "/usr/lib/google-cloud-sdk", "/usr/share/google-cloud-sdk", "/opt/google-cloud-sdk",
		"/usr/local/google-cloud-sdk")
	if home := getenv("HOME"); home != "" {
		roots = append(roots, filepath.Join(home, "google-cloud-sdk"))
	}
	return roots
}
