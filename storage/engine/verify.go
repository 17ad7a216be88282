package engine

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Damage is a file that does not read back as it was written.
type Damage struct {
	Path string
	Err  error
}

// VerifyFiles reads every table file of the store and compares each block with
// its checksum, whether or not a key that is still of use lies in it. The log and
// the manifest are verified by Open, which reads them whole. An error means that
// the files could not be read at all.
func (e *Engine) VerifyFiles(ctx context.Context) ([]Damage, error) {
	if err := e.Failed(); err != nil {
		return nil, err
	}
	levels, err := e.db.SSTables()
	if err != nil {
		return nil, e.wrap(err)
	}
	seen := map[string]bool{}
	for _, l := range levels {
		for _, f := range l {
			if f.BackingSSTNum != 0 {
				seen[f.BackingSSTNum.String()+".sst"] = true
			} else {
				seen[f.FileNum.String()+".sst"] = true
			}
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	slices.Sort(names)
	var damaged []Damage
	for _, name := range names {
		if ctx.Err() != nil {
			return damaged, pgerror.From(context.Cause(ctx))
		}
		path := e.opts.FS.PathJoin(e.dir, name)
		if err := e.verifyFile(ctx, path); err != nil {
			damaged = append(damaged, Damage{path, err})
		}
	}
	return damaged, nil
}

func (e *Engine) verifyFile(ctx context.Context, path string) error {
	f, err := e.opts.FS.Open(path)
	if err != nil {
		// A compaction may have replaced the file since it was listed.
		levels, lerr := e.db.SSTables()
		if lerr != nil {
			return lerr
		}
		base := e.opts.FS.PathBase(path)
		for _, l := range levels {
			for _, t := range l {
				if strings.HasPrefix(base, t.FileNum.String()+".") || strings.HasPrefix(base, t.BackingSSTNum.String()+".") {
					return err
				}
			}
		}
		return nil
	}
	rd, err := sstable.NewSimpleReadable(f)
	if err != nil {
		f.Close()
		return err
	}
	r, err := sstable.NewReader(ctx, rd, e.popt.MakeReaderOptions())
	if err != nil {
		return err // NewReader has closed the file
	}
	defer r.Close()
	return r.ValidateBlockChecksums()
}

// FirstKey is the first key in [lower, upper) with any version, tombstones
// included; nil for none. For a space with segments it may be a key without a version
// before the first.
func (e *Engine) FirstKey(lower, upper []byte) ([]byte, error) {
	if err := e.Failed(); err != nil {
		return nil, err
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: AppendPrefix(nil, lower), UpperBound: AppendPrefix(nil, upper),
		KeyTypes: pebble.IterKeyTypePointsOnly})
	if err != nil {
		return nil, e.wrap(err)
	}
	var key []byte
	if it.First() {
		k, _, ok := DecodeKey(it.Key())
		if !ok {
			err = corruptVersion(it.Key())
		}
		key = append([]byte{}, k...)
	}
	if cerr := e.wrap(it.Close()); err == nil {
		err = cerr
	}
	if err == nil && e.columns != nil {
		if k := e.columns.FirstKey(lower, upper); k != nil && (key == nil || bytes.Compare(k, key) < 0) {
			key = k
		}
	}
	return key, err
}
