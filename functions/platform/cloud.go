package platform

import (
	"context"
	"fmt"
	"os"
	"time"

	ps "cloud.google.com/go/pubsub/v2"
	sm "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/storage"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/arbridge/arbridge/pkg/blob/gcs"
	"github.com/arbridge/arbridge/pkg/bus/pubsub"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/secret/secretmanager"
	"github.com/arbridge/arbridge/pkg/store/firestore"
)

// secretTTL is how long a secret is used without asking again: a rotation takes effect within it.
const secretTTL = 5 * time.Minute

// openCloud opens the Google Cloud parts. PUBSUB_EMULATOR_HOST and STORAGE_EMULATOR_HOST are honoured by the clients, and
// FIRESTORE_EMULATOR_HOST and SECRET_MANAGER_EMULATOR_HOST here.
func (p *Platform) openCloud(ctx context.Context, c config.Cloud) error {
	db, err := openFirestore(ctx, c)
	if err != nil {
		return err
	}
	p.Store, p.closers = db, append(p.closers, db.Close)
	bus, err := ps.NewClient(ctx, c.Project)
	if err != nil {
		return fmt.Errorf("connecting to Pub/Sub: %w", err)
	}
	publisher := pubsub.New(bus, pubsub.Options{})
	p.Bus = publisher
	p.closers = append(p.closers, bus.Close, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdown)
		defer cancel()
		return publisher.Close(ctx)
	})
	objects, err := storage.NewClient(ctx)
	if err != nil {
		return fmt.Errorf("connecting to Cloud Storage: %w", err)
	}
	p.closers = append(p.closers, objects.Close)
	p.Blobs = gcs.New(objects, c.Bucket)
	secrets, err := sm.NewClient(ctx, emulated("SECRET_MANAGER_EMULATOR_HOST")...)
	if err != nil {
		return fmt.Errorf("connecting to Secret Manager: %w", err)
	}
	p.closers = append(p.closers, secrets.Close)
	p.Secrets = secretmanager.New(secrets, c.Project, p.Clock, secretTTL)
	return nil
}

// emulated are the options for the emulator that the environment variable names, or none.
func emulated(variable string) []option.ClientOption {
	host := os.Getenv(variable)
	if host == "" {
		return nil
	}
	return []option.ClientOption{option.WithEndpoint(host), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))}
}

// openFirestore connects to the project's database.
func openFirestore(ctx context.Context, c config.Cloud) (*firestore.Store, error) {
	s, err := firestore.Open(ctx, firestore.Options{Project: c.Project, Database: c.Database}, emulated("FIRESTORE_EMULATOR_HOST")...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Firestore: %w", err)
	}
	return s, nil
}
