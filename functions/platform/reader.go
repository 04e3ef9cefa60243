package platform

import (
	"context"
	"path/filepath"

	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/sqlite"
)

// OpenReader opens the store for reading only, beside a server that may have it open.
func OpenReader(ctx context.Context, cfg *config.Config, dir string) (store.Store, error) {
	if c := cfg.Deployment.Cloud; c.Configured() {
		return openFirestore(ctx, c)
	}
	return sqlite.OpenReader(filepath.Join(dir, StateFile))
}
