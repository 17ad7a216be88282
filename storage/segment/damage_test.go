package segment

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

func fileBytes(t testing.TB, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeBytes(t testing.TB, fs vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// verify opens a file and reads all of it.
func verify(fs vfs.FS, path string) error {
	f, err := Open(fs, path, nil)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Verify(context.Background())
}

// TestDamage flips every bit of some files in turn, and cuts them everywhere: always
// XX001 naming the file.
func TestDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 3 {
		fs := vfs.NewMem()
		m := randomModel(r, 40, testTypes)
		m.write(t, r, fs, "x.seg", WriterOptions{BlockRows: 16})
		good := fileBytes(t, fs, "x.seg")
		if err := verify(fs, "x.seg"); err != nil {
			t.Fatal(err)
		}
		expect := func(what string, at int) {
			t.Helper()
			err := verify(fs, "x.seg")
			if !pgerror.Is(err, pgerror.DataCorrupted) || !strings.Contains(err.Error(), "x.seg") {
				t.Fatalf("%s at %d of %d: %v", what, at, len(good), err)
			}
		}
		step := 1
		if testing.Short() {
			step = 13
		}
		for at := 0; at < len(good); at += step {
			b := append([]byte{}, good...)
			b[at] ^= 1 << r.IntN(8)
			writeBytes(t, fs, "x.seg", b)
			expect("flip", at)
			if at%7 == 0 {
				writeBytes(t, fs, "x.seg", good[:at])
				expect("cut", at)
			}
		}
	}
}

// TestDamagedBlock: an error names the block; the others can still be read.
func TestDamagedBlock(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	fs := vfs.NewMem()
	m := randomModel(r, 100, []types.OID{types.Int4, types.Text})
	m.write(t, r, fs, "x.seg", WriterOptions{BlockRows: 10})
	f, err := Open(fs, "x.seg", NewCache(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	p := f.foot.columns[1].blocks[3]
	f.Close()
	b := fileBytes(t, fs, "x.seg")
	b[p.off+9] ^= 4
	writeBytes(t, fs, "x.seg", b)
	if f, err = Open(fs, "x.seg", NewCache(1<<20)); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx := context.Background()
	for b := range f.Blocks() {
		_, err := f.Read(ctx, b, 1)
		if b != 3 && err != nil {
			t.Fatal(err)
		}
		if b == 3 && (!pgerror.Is(err, pgerror.DataCorrupted) || !strings.Contains(err.Error(), "block 3 of column 3")) {
			t.Fatal(err)
		}
	}
}

// sealed gives a file's bytes with every checksum made right, so that decoders meet
// what was changed.
func sealed(b []byte, parts []part) {
	for _, p := range parts {
		end := p.off + uint64(p.len)
		if p.len >= checksumLen && end <= uint64(len(b)) {
			binary.LittleEndian.PutUint32(b[end-checksumLen:], checksum(b[p.off:end-checksumLen]))
		}
	}
	if len(b) < headerLen+trailerLen {
		return
	}
	t := b[len(b)-trailerLen:]
	off, n := binary.LittleEndian.Uint64(t), uint64(binary.LittleEndian.Uint32(t[8:]))
	if off < uint64(len(b)) && off+n <= uint64(len(b)) {
		binary.LittleEndian.PutUint32(t[12:], checksum(b[off:off+n]))
	}
	binary.LittleEndian.PutUint32(t[20:], checksum(t[:20]))
}

// parts are all checksummed parts of an open file.
func (f *File) parts() []part {
	var out []part
	for i := range f.foot.columns {
		c := &f.foot.columns[i]
		out = append(out, c.blocks...)
		if c.sharedKind != sharedNone {
			out = append(out, c.shared)
		}
	}
	return append(append(out, f.foot.keys...), f.foot.filter, f.foot.sketches)
}

// readEverything uses every way to read; it must not panic, whatever the bytes are.
func readEverything(f *File) {
	ctx := context.Background()
	f.Meta()
	all := make([]int, len(f.foot.columns))
	for c := range all {
		all[c] = c
		f.Sketch(c)
		z := f.ColumnZone(c)
		z.Bounds(f.foot.columns[c].Type)
	}
	out := make([]Value, len(all))
	for b := range f.Blocks() {
		first, n := f.BlockRows(b)
		sel := []int32{0, int32(n / 2), int32(n - 1)}
		if n < 3 {
			sel = sel[:1]
		}
		for c := range all {
			if a, err := f.Read(ctx, b, c); err == nil {
				for i := range a.Len() {
					types.Get(f.foot.columns[c].Type, a, i)
				}
			}
			f.ReadSelected(ctx, b, c, sel, nil, nil)
			f.Row(ctx, first+n-1, all[c:c+1], out, nil)
		}
		f.Keys(ctx, b)
		if k, err := f.AppendKey(ctx, nil, first+n/2); err == nil {
			f.Find(ctx, k)
			f.SeekRow(ctx, append(k, 0))
		}
	}
	f.Find(ctx, f.Last())
	f.Verify(ctx)
}

// fuzzFiles are small files and their parts.
func fuzzFiles(t testing.TB) (files [][]byte, parts [][]part) {
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 6 {
		fs := vfs.NewMem()
		ts := []types.OID{types.Int4, types.Text, types.NumericOID, types.Bool, types.Float8, types.Text, types.Int8, types.BPChar, types.Bytea}
		m := randomModel(r, 60+i*100, ts)
		m.write(t, r, fs, "x.seg", WriterOptions{BlockRows: 64})
		s, err := Open(fs, "x.seg", nil)
		if err != nil {
			t.Fatal(err)
		}
		files, parts = append(files, fileBytes(t, fs, "x.seg")), append(parts, s.parts())
		s.Close()
	}
	return files, parts
}

// readChanged reads a file whose bytes were changed behind right checksums: decoders
// must give an error or some value, never a panic or a read out of bounds.
func readChanged(t testing.TB, b []byte, parts []part) {
	sealed(b, parts)
	fs := vfs.NewMem()
	writeBytes(t, fs, "x.seg", b)
	s, err := Open(fs, "x.seg", NewCache(1<<20))
	if err != nil {
		return
	}
	defer s.Close()
	readEverything(s)
}

// TestChangedFiles changes bytes at random places.
func TestChangedFiles(t *testing.T) {
	files, parts := fuzzFiles(t)
	rounds := 1000
	if testing.Short() {
		rounds = 300
	}
	for round := range rounds {
		r := rand.New(rand.NewPCG(uint64(round), 8))
		i := r.IntN(len(files))
		b := append([]byte{}, files[i]...)
		for range 1 + r.IntN(3) {
			at := r.IntN(len(b))
			if r.IntN(2) == 0 { // near the start of a part, where headers are
				p := parts[i][r.IntN(len(parts[i]))]
				at = int(p.off) + r.IntN(min(int(p.len), 40))
			}
			b[at] = []byte{0, 1, 0xff, byte(r.Uint32()), b[at] ^ 1<<r.IntN(8)}[r.IntN(5)]
		}
		readChanged(t, b, parts[i])
	}
}

// FuzzFile is the same for the fuzzer.
func FuzzFile(f *testing.F) {
	files, parts := fuzzFiles(f)
	f.Add(uint8(0), uint32(20), uint32(300), []byte{1, 2})
	f.Fuzz(func(t *testing.T, file uint8, at, at2 uint32, with []byte) {
		i := int(file) % len(files)
		b := append([]byte{}, files[i]...)
		for k, x := range with {
			if k%2 == 0 {
				b[(int(at)+k)%len(b)] = x
			} else {
				b[(int(at2)+k)%len(b)] ^= x
			}
		}
		readChanged(t, b, parts[i])
	})
}
