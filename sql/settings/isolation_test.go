package settings

import (
	"errors"
	"testing"

	"github.com/basaltdb/basalt/sql/pgerror"
)

func TestSerializableIsRefused(t *testing.T) {
	d := Lookup("default_transaction_isolation")
	for _, v := range []string{"read committed", "READ UNCOMMITTED", "Repeatable Read"} {
		if _, err := d.Parse(d.Name, v); err != nil {
			t.Errorf("%s: %v", v, err)
		}
	}
	_, err := d.Parse(d.Name, "Serializable")
	var e *pgerror.Error
	if !errors.As(err, &e) || e.Code != pgerror.FeatureNotSupported {
		t.Errorf("serializable: %v", err)
	}
}
