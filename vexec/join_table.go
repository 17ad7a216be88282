package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// joinTable is a built right side. Keys have dense numbers in order of their first
// row, or that row as their number (join_build.go); a lookup gives a key's number, by hashing or, where a single
// integer key's values lie close together, its rank among them by its position.
type joinTable struct {
	rows  *Batch // all rows, dense, text perhaps coded; columns nobody asks for are nil
	keys  int    // distinct ones
	table *kernel.Table
	dense *kernel.DenseKeys // instead of table

	start     []int32 // rows of key number k are list[start[k]:start[k+1]]; nil: unique
	list      []int32 // nil: identity
	unique    bool    // every key has one row, list[k]
	identity  bool    // unique, and that is row k
	matched   []bool
	partition bool // of a right side that has rows elsewhere
	hasNull   bool // some row has a NULL in a key that is not null_equal
	// exact NULL semantics of MARK and NULL_AWARE_ANTI: the keys, and the rows with a NULL in one
	keyCols  []arrow.Array
	nullRows []int32
	filters  []*keyFilter // by key, where some scan can use it
	bytes    int64
}

// buildStep is how many rows of a right side are hashed at a time.
const buildStep = 16384

// buildTable hashes dense batches of the right side.
func (j *hashJoinOp) buildTable(batches []*Batch) (*joinTable, error) {
	t := &joinTable{filters: make([]*keyFilter, len(j.rightKeys))}
	if len(batches) == 0 {
		t.rows = &Batch{Cols: make([]arrow.Array, len(j.spec.rightTs))}
		for c, ty := range j.spec.rightTs {
			t.rows.Cols[c] = kernel.Nulls(ty, 0)
		}
	} else {
		t.rows = concatBatches(j.spec.rightTs, batches)
	}
	if j.facts != nil {
		t.hasNull, t.partition = j.facts.hasNull, true
	}
	numbers, err := j.number(t)
	if err != nil {
		return nil, err
	}
	t.index(numbers, t.keys)
	j.complete(t)
	return t, nil
}

// codedRowsMax bounds the right sides whose text is coded: what is above the join computes
// things once for each of these rows.
const codedRowsMax = 1 << 15

// codeText makes each plain text column its own dictionary: gathering its values for rows of
// the left side moves codes, and expressions and groupings above look a row's up.
func (t *joinTable) codeText() {
	n := t.rows.N
	if n == 0 || n > codedRowsMax {
		return
	}
	var codes []int32
	for c, a := range t.rows.Cols {
		if a == nil || a.DataType().ID() != arrow.STRING {
			continue
		}
		if codes == nil {
			codes = make([]int32, n)
			for i := range codes {
				codes[i] = int32(i)
			}
		}
		t.rows.Cols[c] = kernel.CodedBy(codes, a)
	}
}

func (j *hashJoinOp) readByResidual(column int) bool {
	if j.spec.residual == nil {
		return false
	}
	for _, c := range j.spec.residual.Columns() {
		if c == column {
			return true
		}
	}
	return false
}

// number gives each row of t.rows the number of its key, −1 where it can match nothing.
func (j *hashJoinOp) number(t *joinTable) ([]int32, error) {
	n := t.rows.N
	numbers := make([]int32, n)
	if len(j.rightKeys) == 0 { // every row has the one empty key
		t.keys = min(n, 1)
		return numbers, nil
	}
	if done, err := j.numberDense(t, numbers); done || err != nil {
		return numbers, err
	}
	t.table = kernel.NewTable(j.keySpec, n)
	env := j.w.frame.Ctx.Env
	var enc kernel.Keys
	var parts []*Batch
	eval := evalCoded
	if j.exactNulls() {
		eval = evalAll
	}
	for lo := 0; lo < n; lo += buildStep {
		hi := min(lo+buildStep, n)
		part := sliced(t.rows, lo, hi)
		keys, err := eval(j.w.frame, j.rightKeys, input(part))
		if err != nil {
			return nil, err
		}
		skip := j.skips(keys, part.N)
		j.keySpec.Encode(env, &enc, keys, part.N)
		t.table.Insert(&enc, skip, numbers[lo:hi], nil)
		t.hasNull = t.hasNull || skip != nil
		if j.exactNulls() {
			for i, s := range skip {
				if s {
					t.nullRows = append(t.nullRows, int32(lo+i))
				}
			}
		}
		if j.exactNulls() || j.probes != nil {
			parts = append(parts, &Batch{Cols: keys, N: part.N})
		}
	}
	t.keys = t.table.Len()
	if parts != nil {
		cols := concatBatches(j.keySpec.Types, parts).Cols
		if j.exactNulls() {
			t.keyCols = cols
		}
		for k, c := range cols {
			t.filterFor(j, k, c)
		}
	}
	if n == 0 {
		for k := range j.rightKeys {
			t.filterFor(j, k, kernel.Nulls(j.keySpec.Types[k], 0))
		}
	}
	return numbers, nil
}

// filterFor makes the filter of key k where a scan waits for it.
func (t *joinTable) filterFor(j *hashJoinOp, k int, col arrow.Array) {
	if k < len(j.probes) && j.probes[k] != nil {
		t.filters[k] = newKeyFilter(j.keySpec.Types[k], col, t.dense)
	}
}

// numberDense numbers the keys by an array where they allow it.
func (j *hashJoinOp) numberDense(t *joinTable, numbers []int32) (bool, error) {
	if len(j.rightKeys) != 1 || j.nullEqual[0] || !filterable(j.keySpec.Types[0]) || t.rows.N == 0 {
		return false, nil
	}
	keys, err := evalAll(j.w.frame, j.rightKeys, input(t.rows))
	if err != nil {
		return false, err
	}
	if t.dense, t.keys = kernel.NewDenseKeys(keys[0]); t.dense == nil {
		return false, nil
	}
	t.dense.Find(keys[0], numbers)
	t.hasNull = t.hasNull || keys[0].NullN() > 0
	if j.exactNulls() {
		t.keyCols = keys
		valid := kernel.Valid(keys[0])
		for i := range numbers {
			if !valid.Get(i) {
				t.nullRows = append(t.nullRows, int32(i))
			}
		}
	}
	t.filterFor(j, 0, keys[0])
	return true, nil
}

// index lists the rows of each key together, in their order; numbers are below domain.
func (t *joinTable) index(numbers []int32, domain int) {
	kept, apart := 0, int32(0)
	for i, k := range numbers {
		kept += int(uint32(^k) >> 31)
		apart |= (k ^ int32(i)) &^ (k >> 31)
	}
	t.unique = kept == t.keys
	if t.identity = t.unique && apart == 0; t.identity {
		return
	}
	if t.unique {
		t.list = make([]int32, domain)
		for i, k := range numbers {
			if k >= 0 {
				t.list[k] = int32(i)
			}
		}
		return
	}
	t.start = make([]int32, domain+1)
	t.list = make([]int32, kept)
	for _, k := range numbers {
		if k >= 0 {
			t.start[k+1]++
		}
	}
	for k := range domain {
		t.start[k+1] += t.start[k]
	}
	at := append([]int32{}, t.start[:domain]...)
	for i, k := range numbers {
		if k >= 0 {
			t.list[at[k]] = int32(i)
			at[k]++
		}
	}
}

// rowsOf lists the rows of key number k; one is room for one.
func (t *joinTable) rowsOf(k int32, one *[1]int32) []int32 {
	switch {
	case t.identity:
		one[0] = k
		return one[:]
	case t.unique:
		return t.list[k : k+1]
	}
	return t.list[t.start[k]:t.start[k+1]]
}

// find gives the number of each row's key, −1 where there is none. enc is scratch.
func (t *joinTable) find(env *types.Env, spec *kernel.KeySpec, enc *kernel.Keys, keys []arrow.Array, skip []bool, numbers []int32) {
	switch {
	case len(keys) == 0:
		for i := range numbers {
			numbers[i] = int32(t.keys) - 1 // 0, or −1 for an empty right side
		}
	case t.dense != nil:
		t.dense.Find(keys[0], numbers)
	default:
		spec.Encode(env, enc, keys, len(numbers))
		t.table.Find(enc, skip, numbers)
	}
}

// markColumns sets the columns that expressions read.
func markColumns(need []bool, es ...*expr.Expr) {
	for _, e := range es {
		if e == nil {
			continue
		}
		for _, c := range e.Columns() {
			if c < len(need) {
				need[c] = true
			}
		}
	}
}
