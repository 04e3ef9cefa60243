package enginetest_test

import (
	"testing"

	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/storetest"
)

func TestStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return enginetest.NewStore() })
}
