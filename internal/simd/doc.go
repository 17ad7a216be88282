// Package simd holds the loops over whole vectors that 256-bit instructions make
// faster, most of them several times: comparisons with a constant and of two columns,
// to lists of rows and to bitmaps; membership in a set that is a bitmap; sums,
// differences and products of int64 that watch for overflow; totals and extremes of a
// column; hashes of integer keys; the unpacking of bit-packed integers.
//
// Every exported function has a plain form in Go, its twin, and says what both do. A
// build with GOEXPERIMENT=simd on amd64 (the Makefile's) has a vector form too, in
// the files *_avx2.go, which the function asks first when the processor has AVX2. It
// does a leading part of the rows, says how many, and the twin does the others: a
// vector form never needs to know about ends, and one that cannot go on (Mul, at
// factors of more than 32 bits) just stops. Without it, done is 0. The tests hold
// both forms against a plain statement of what is wanted, so a build with the
// experiment tests them all.
//
// Vector forms use instructions of AVX and AVX2 alone: an archsimd method whose
// documentation says AVX512 does not work on every processor that gets here. They end
// with ClearAVXUpperBits, and between the first vector and that call use nothing that
// the compiler makes an old SSE instruction of, which costs hundreds of cycles while
// the registers' upper halves are in use: no scalar floats, and no ShiftAllLeft or
// ShiftAllRight, whose count goes through one (a product that looked at its factors
// by ShiftAllRight every 64 rows took eight times as long). `go tool objdump` shows
// them.
//
// What has no vector form, and why. AVX2 has no 64-bit products (Mul is for factors of 32
// bits, Hashes builds its products of constants from three) and archsimd no gathers, which
// values by dictionary code, by table and by selection would take; SelectMembers, which
// needs one, fetches byte by byte and gains a third where others gain three times.
// Unpacking by zero extension of 32-bit values to 64 lost to unpacking to 64 at once.
// Widths of 26 to 32 to 32-bit values, runs, lines and prefix sums of lengths together
// took less than 3 % of TPC-H's time.
//
// Functions keep no state and never allocate. What is not here: anything that knows
// of Arrow, NULLs or SQL (vexec/kernel), formats (storage/segment).
package simd
