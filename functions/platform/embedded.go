package platform

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/arbridge/arbridge/pkg/blob/files"
	"github.com/arbridge/arbridge/pkg/bus/queue"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/secret/local"
	"github.com/arbridge/arbridge/pkg/store/sqlite"
)

// StateFile is the SQLite file in a data folder.
const StateFile = "arbridge.db"

// openEmbedded opens the parts that live in one data folder.
func (p *Platform) openEmbedded(ctx context.Context, cfg *config.Config, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	db, err := sqlite.Open(filepath.Join(dir, StateFile), sqlite.Options{})
	if err != nil {
		return err
	}
	p.Store, p.closers = db, append(p.closers, db.Close)
	q, err := queue.New(ctx, db, p.Clock, p.Log, queue.Options{})
	if err != nil {
		return err
	}
	p.Queue, p.Bus = q, q
	blobs, err := files.Open(filepath.Join(dir, "documents"), p.Clock)
	if err != nil {
		return err
	}
	p.Blobs = blobs
	p.Secrets = local.New(local.Options{Env: os.LookupEnv, Dir: cfg.SecretsDir})
	return nil
}
