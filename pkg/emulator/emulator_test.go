package emulator

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestFirestoreAnswersAndKeepsProjectsApart(t *testing.T) {
	host := Firestore(t)
	if again := Firestore(t); again != host {
		t.Fatalf("second call started another emulator: %s, then %s", host, again)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var clients [2]*firestore.Client
	for i := range clients {
		c, err := firestore.NewClient(ctx, Project(t), Options(host)...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients[i] = c
	}
	for i, c := range clients {
		if _, err := c.Collection("c").Doc("d").Create(ctx, map[string]any{"n": i}); err != nil {
			t.Fatalf("create in project %d: %v", i, err)
		}
	}
	snap, err := clients[0].Collection("c").Doc("d").Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := snap.Data()["n"]; got != int64(0) {
		t.Errorf("first project reads %v, want its own 0", got)
	}
}

func TestPubSubAnswers(t *testing.T) {
	host := PubSub(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pubsub.NewClient(ctx, Project(t), Options(host)...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	name := "projects/" + c.Project() + "/topics/tasks"
	topic, err := c.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if topic.GetName() != name {
		t.Errorf("topic is called %q, want %q", topic.GetName(), name)
	}
}

func TestProjectsDiffer(t *testing.T) {
	a, b := Project(t), Project(t)
	if a == b || len(a) < 6 || len(a) > 30 {
		t.Errorf("projects %q and %q: want two different ids of 6 to 30 characters", a, b)
	}
}

func TestRequired(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want bool
	}{
		{"nothing set", nil, false},
		{"required", map[string]string{"REQUIRE_EMULATORS": "1"}, true},
		{"CI", map[string]string{"CI": "true"}, true},
		{"CI that opts out", map[string]string{"CI": "true", "REQUIRE_EMULATORS": "0"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := required(env(c.env)); got != c.want {
				t.Errorf("required = %v, want %v", got, c.want)
			}
		})
	}
}

func TestFindJar(t *testing.T) {
	root := t.TempDir()
	lib := filepath.Join(root, "platform/pubsub-emulator/lib")
	if err := os.MkdirAll(lib, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cloud-pubsub-emulator-0.8.20-all.jar", "cloud-pubsub-emulator-0.8.21-all.jar", "other.jar"} {
		if err := os.WriteFile(filepath.Join(lib, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newest := filepath.Join(lib, "cloud-pubsub-emulator-0.8.21-all.jar")
	named := filepath.Join(lib, "other.jar")
	for _, c := range []struct {
		name, jar string
		roots     []string
		want      string
		missing   bool
	}{
		{"newest of the first root that has one", "", []string{t.TempDir(), root}, newest, false},
		{"named by the variable", named, nil, named, false},
		{"nowhere", "", []string{t.TempDir()}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := findJar(pubsubKind(), env(map[string]string{"ARBRIDGE_PUBSUB_JAR": c.jar}), c.roots)
			if got != c.want || errors.Is(err, errMissing) != c.missing {
				t.Errorf("findJar = %q, %v; want %q, missing %v", got, err, c.want, c.missing)
			}
		})
	}
	_, err := findJar(pubsubKind(), env(map[string]string{"ARBRIDGE_PUBSUB_JAR": "/no/such.jar"}), nil)
	if err == nil || errors.Is(err, errMissing) {
		t.Errorf("a wrong ARBRIDGE_PUBSUB_JAR gives %v; want an error that is never skipped", err)
	}
}

func TestRootsFollowTheCommand(t *testing.T) {
	dir := t.TempDir()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	command := filepath.Join(dir, "sdk/bin/gcloud")
	if err := os.MkdirAll(filepath.Dir(command), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(command, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "gcloud")
	if err := os.Symlink(command, link); err != nil {
		t.Fatal(err)
	}
	got := sdkRoots(env(map[string]string{"CLOUDSDK_ROOT_DIR": "/first", "HOME": "/home/x"}), link)
	if got[0] != "/first" || got[1] != filepath.Join(dir, "sdk") || !slices.Contains(got, "/home/x/google-cloud-sdk") {
		t.Errorf("roots = %v", got)
	}
}

func TestEarlyEndShowsOutput(t *testing.T) {
	_, err := launch("sh", []string{"-c", "echo the jar is broken; exit 3"})
	if err == nil || !strings.Contains(err.Error(), "the jar is broken") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("launch of a process that ends = %v; want its status and output", err)
	}
}
