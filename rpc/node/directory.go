package node

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/txn"
)

// directory is the file NODE of a data directory: whose it is. JSON, version 1;
// it is replaced as a whole.
type directory struct {
	Version int `json:"version"`
	// Directory is the directory's own id, 16 bytes in hex, drawn when the file was made.
	Directory string `json:"directory"`
	// Cluster is the database's id, 16 bytes in hex, and Node the node's; empty and 0
	// until it has joined.
	Cluster string     `json:"cluster,omitempty"`
	Node    txn.NodeID `json:"node,omitempty"`
	Role    string     `json:"role"`
}

const (
	directoryFile    = "NODE"
	directoryVersion = 1
)

// CheckLone refuses a directory that belongs to a node of several.
func CheckLone(dir string) error {
	d, err := readDirectory(dir)
	if err != nil || d == nil {
		return err
	}
	if d.Node == first {
		return fmt.Errorf("data directory %q is the first node of a cluster: start it with --rpc-addr", dir)
	}
	return fmt.Errorf("data directory %q is a node of a cluster: start it with --rpc-addr and --join", dir)
}

func readDirectory(dir string) (*directory, error) {
	b, err := os.ReadFile(filepath.Join(dir, directoryFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var d directory
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, directoryFile), err)
	}
	if d.Version != directoryVersion {
		return nil, fmt.Errorf("%s has version %d, this program reads version %d", filepath.Join(dir, directoryFile), d.Version, directoryVersion)
	}
	return &d, nil
}

// openDirectory reads the directory's file, made when the directory is new.
func openDirectory(dir string, role Role, isFirst bool) (*directory, error) {
	d, err := readDirectory(dir)
	if err != nil {
		return nil, err
	}
	if d == nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if ok, err := storage.Exists(dir); err != nil {
			return nil, err
		} else if ok {
			return nil, fmt.Errorf("data directory %q is a database of its own and cannot become part of a cluster: start it without --rpc-addr and --join", dir)
		}
		d = &directory{Version: directoryVersion, Directory: newID(), Role: role.String()}
		if isFirst {
			d.Node, d.Cluster = first, newID()
		}
		return d, d.write(dir)
	}
	switch {
	case isFirst && d.Node != first:
		return nil, fmt.Errorf("data directory %q is a node of a cluster: give --join with the address of its first node", dir)
	case !isFirst && d.Node == first:
		return nil, fmt.Errorf("data directory %q is the first node of a cluster, which joins no other: start it without --join", dir)
	case d.Role != role.String():
		return nil, fmt.Errorf("data directory %q is a node with --role %s and cannot become one with --role %s", dir, d.Role, role)
	}
	return d, nil
}

// write replaces the file, durably.
func (d *directory) write(dir string) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, directoryFile)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	h, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(h.Sync(), h.Close())
}

// newID draws 16 bytes, in hex.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
