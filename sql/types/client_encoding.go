package types

// Transcoder converts between UTF8 and a client's encoding. It is safe for
// concurrent use; results may share the argument's memory.
type Transcoder interface {
	// ToUTF8 converts text of the client: 22021 malformed, 22P05 untranslatable.
	ToUTF8(b []byte) ([]byte, error)
	// FromUTF8 converts valid UTF-8: 22P05 for a character the encoding lacks.
	FromUTF8(b []byte) ([]byte, error)
}

// FromClient is text that came from the client (a parameter, a received value)
// as UTF-8; it is not checked when the client's encoding is UTF8.
func FromClient(env *Env, b []byte) (string, error) {
	if env == nil || env.ClientEncoding == nil {
		return string(b), nil
	}
	out, err := env.ClientEncoding.ToUTF8(b)
	return string(out), err
}

// ToClient converts what was appended to buf since at into the client's encoding.
func ToClient(env *Env, buf []byte, at int) ([]byte, error) {
	if env == nil || env.ClientEncoding == nil {
		return buf, nil
	}
	out, err := env.ClientEncoding.FromUTF8(buf[at:])
	if err != nil {
		return buf[:at], err
	}
	return append(buf[:at], out...), nil
}
