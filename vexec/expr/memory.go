package expr

import "github.com/basaltdb/basalt/sql/pgerror"

// Limit is a budget of bytes shared by many; safe for concurrent use.
type Limit interface {
	// Reserve takes n bytes, or fails with what the client is told (53200).
	Reserve(n int64) error
	// Release gives n reserved bytes back.
	Release(n int64)
}

// Memory counts the large values that one worker's expressions make. They are
// reserved before they are made and held until Reset: until the worker evaluates
// its next batch. Values of a batch below smallBytes together are not counted.
type Memory struct {
	limit    Limit
	held     int64
	produced int64
}

// NewMemory makes a counter against a budget.
func NewMemory(l Limit) *Memory { return &Memory{limit: l} }

// smallBytes is what a kernel may make without asking.
const smallBytes = 1 << 20

// Grow reserves n bytes more for values about to be made. A nil Context or one
// without a budget has room for everything.
func (c *Context) Grow(n int64) error {
	if c == nil || c.Memory == nil || n <= 0 {
		return nil
	}
	m := c.Memory
	if err := m.limit.Reserve(n); err != nil {
		return err
	}
	m.held += n
	m.produced += n
	return nil
}

// GrowLarge is Grow for a single value of n bytes that counts only when it is large.
func (c *Context) GrowLarge(n int64) error {
	if n < smallBytes {
		return nil
	}
	return c.Grow(n)
}

// Reset gives back what was reserved and reports how much that was since the last
// TakeProduced. Nil is allowed.
func (m *Memory) Reset() {
	if m != nil && m.held != 0 {
		m.limit.Release(m.held)
		m.held = 0
	}
}

// TakeProduced is how many bytes were reserved since the last call.
func (m *Memory) TakeProduced() int64 {
	if m == nil {
		return 0
	}
	n := m.produced
	m.produced = 0
	return n
}

// Meter counts the values one kernel call makes and reserves them in steps.
type Meter struct {
	ctx   *Context
	total int64
	asked int64
	one   bool
}

// NewMeter starts the count of a kernel of n rows. The vector of one row shares
// the value's memory, so there is nothing to reserve for it.
func NewMeter(ctx *Context, n int) Meter { return Meter{ctx: ctx, asked: smallBytes, one: n == 1} }

// Add counts a value of n bytes. Fails when the value is larger than PostgreSQL's
// values may be, the column than a vector's, or the budget is exceeded.
func (m *Meter) Add(n int) error {
	m.total += int64(n)
	if m.total <= smallBytes {
		return nil
	}
	return m.large(n)
}

func (m *Meter) large(n int) error {
	if n > ValueBytesMax-4 {
		return InvalidAlloc(int64(n) + 4)
	}
	if m.total > vectorBytesMax {
		return pgerror.New(pgerror.ProgramLimitExceeded, "the values of one batch exceed %d bytes", vectorBytesMax)
	}
	if m.one || m.total <= m.asked {
		return nil
	}
	step := m.total - m.asked + smallBytes
	if m.asked == smallBytes {
		step += smallBytes
	}
	m.asked = m.total + smallBytes
	return m.ctx.Grow(step)
}

// ValueBytesMax is the largest allocation PostgreSQL makes for a value.
const ValueBytesMax = 0x3fffffff

// vectorBytesMax is what 32-bit offsets can address.
const vectorBytesMax = 1<<31 - 1

// InvalidAlloc is PostgreSQL's error for a value of n bytes that is too large.
func InvalidAlloc(n int64) error {
	return pgerror.New(pgerror.InternalError, "invalid memory alloc request size %d", n)
}

// CannotEnlarge is PostgreSQL's error for a text under construction that has have
// bytes, gets more and becomes too large; nil when it does not.
func CannotEnlarge(have, more int64) error {
	if have+more < ValueBytesMax {
		return nil
	}
	return pgerror.New(pgerror.ProgramLimitExceeded, "out of memory").
		WithDetail("Cannot enlarge string buffer containing %d bytes by %d more bytes.", have, more)
}
