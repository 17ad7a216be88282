package types

// JSONB is a jsonb value in its binary form.
type JSONB []byte
