package storage

import (
	"encoding/binary"
	"slices"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/txn"
)

// The local record "placement" says where rows lie. A store without one has all
// in the system tablet. Its bytes (frozen, version 1), all little endian:
//
//	offset  size  what
//	0       2     version of the record, 1
//	2       8     Placement.Version
//	10      4     Placement.System
//	14      2     number of tablets
//	16      10 ×  each: id (2), node (4), first slot (2), end slot (2)
var placementKey = []byte("placement")

const (
	placementVersion   = 1
	placementHeaderLen = 16
	placementTabletLen = 10
)

// self is the node that a lone process is.
const self txn.NodeID = 1

func encodePlacement(p *txn.Placement) []byte {
	b := binary.LittleEndian.AppendUint16(nil, placementVersion)
	b = binary.LittleEndian.AppendUint64(b, p.Version)
	b = binary.LittleEndian.AppendUint32(b, uint32(p.System))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p.Tablets)))
	for _, t := range p.Tablets {
		b = binary.LittleEndian.AppendUint16(b, uint16(t.ID))
		b = binary.LittleEndian.AppendUint32(b, uint32(t.Node))
		b = binary.LittleEndian.AppendUint16(b, uint16(t.First))
		b = binary.LittleEndian.AppendUint16(b, uint16(t.End))
	}
	return b
}

func decodePlacement(b []byte) (*txn.Placement, error) {
	corrupt := pgerror.New(pgerror.DataCorrupted, "malformed placement record")
	if len(b) < placementHeaderLen {
		return nil, corrupt
	}
	if v := binary.LittleEndian.Uint16(b); v != placementVersion {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "the placement record has version %d, this program reads version %d", v, placementVersion)
	}
	p := &txn.Placement{Version: binary.LittleEndian.Uint64(b[2:]), System: txn.NodeID(binary.LittleEndian.Uint32(b[10:]))}
	n := int(binary.LittleEndian.Uint16(b[14:]))
	if b = b[placementHeaderLen:]; n == 0 || len(b) != n*placementTabletLen {
		return nil, corrupt
	}
	end := txn.Slot(0)
	for ; len(b) > 0; b = b[placementTabletLen:] {
		t := txn.Tablet{ID: txn.TabletID(binary.LittleEndian.Uint16(b)), Node: txn.NodeID(binary.LittleEndian.Uint32(b[2:])),
			First: txn.Slot(binary.LittleEndian.Uint16(b[6:])), End: txn.Slot(binary.LittleEndian.Uint16(b[8:]))}
		if t.First != end || t.End <= t.First || t.ID == txn.LocalTablet {
			return nil, corrupt
		}
		end = t.End
		p.Tablets = append(p.Tablets, t)
	}
	if end != txn.Slots {
		return nil, corrupt
	}
	return p, nil
}

// openPlacement loads the store's placement. tablets, when not 0, is the number
// that is asked for: a new store gets it, another must have it.
func openPlacement(eng *engine.Engine, tablets int) (*txn.Placement, error) {
	b, ok, err := eng.LocalGet(placementKey)
	if err != nil {
		return nil, err
	}
	p := txn.LonePlacement(self)
	if ok {
		if p, err = decodePlacement(b); err != nil {
			return nil, err
		}
	} else if tablets > 1 {
		empty, err := eng.Empty()
		if err != nil {
			return nil, err
		}
		if empty {
			p = txn.EvenPlacement(self, []txn.NodeID{self}, tablets)
			return p, eng.LocalSet(placementKey, encodePlacement(p), true)
		}
	}
	if tablets > 0 && len(p.Tablets) != tablets {
		return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "the number of tablets of data directory \"%s\" is %d and cannot become %d", eng.Dir(), len(p.Tablets), tablets)
	}
	return p, nil
}

// Placement says where rows lie.
func (n *Node) Placement() *txn.Placement { return n.shared.Placement() }

// SetPlacement makes p durable and puts it in force for statements that begin
// later. REQUIRES: what is stored lies as p says.
func (n *Node) SetPlacement(p *txn.Placement) error {
	if n.eng != nil && len(p.Tablets) > 0 {
		if err := n.eng.LocalSet(placementKey, encodePlacement(p), true); err != nil {
			return err
		}
	}
	n.shared.SetPlacement(p)
	return nil
}

// tablets are all tablets that may hold keys of tables.
func (n *Node) tablets() []txn.TabletID { return tabletsOf(n.shared.Placement()) }

func tabletsOf(p *txn.Placement) []txn.TabletID {
	out := []txn.TabletID{txn.SystemTablet}
	for _, t := range p.Tablets {
		if !slices.Contains(out, t.ID) {
			out = append(out, t.ID)
		}
	}
	return out
}
