package auth

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
)

// Matches reports whether a password is the one a verifier was made of. It takes as
// long for "" (or a damaged verifier), which nothing matches. For protocols that
// carry the password itself.
func Matches(text, password string) bool {
	v, ok := parse(text)
	if !ok {
		v = verifier{iterations: iterations, salt: make([]byte, saltBytes), storedKey: make([]byte, sha256.Size)}
	}
	salted, err := pbkdf2.Key(sha256.New, prepare(password), v.salt, v.iterations, sha256.Size)
	if err != nil {
		return false
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return subtle.ConstantTimeCompare(stored[:], v.storedKey) == 1 && ok
}
