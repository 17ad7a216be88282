package auth

import (
	"encoding/base64"
	"testing"

	"github.com/xdg-go/scram"
)

// A foreign client against our side of the exchange.
func TestExchange(t *testing.T) {
	v, err := NewVerifier("pencil é")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		verifier, password string
		ok                 bool
	}{{v, "pencil é", true}, {v, "pen", false}, {"", "pencil", false}, {"md5abc", "x", false}} {
		client, err := scram.SHA256.NewClient("user", c.password, "")
		if err != nil {
			t.Fatal(err)
		}
		conv := client.NewConversation()
		first, _ := conv.Step("")
		x := NewExchange(c.verifier)
		answer, err := x.First([]byte(first))
		if err != nil {
			t.Fatal(err)
		}
		final, err := conv.Step(string(answer))
		if err != nil {
			t.Fatal(err)
		}
		reply, ok, err := x.Final([]byte(final))
		if err != nil || ok != c.ok {
			t.Fatalf("%q: ok %v, err %v", c.password, ok, err)
		}
		if ok {
			if _, err := conv.Step(string(reply)); err != nil || !conv.Valid() {
				t.Fatalf("the client refuses the server: %v", err)
			}
		}
	}
}

// A verifier PostgreSQL made for the password "secret".
func TestVerifierForm(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	v, _ := newVerifier("pencil", salt, 4096)
	want := "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
	if v != want || !IsVerifier(v) || IsVerifier("SCRAM-SHA-256$x") {
		t.Fatalf("got %s", v)
	}
}

func FuzzExchange(f *testing.F) {
	f.Add([]byte("n,,n=,r=abc"), []byte("c=biws,r=abc,p=AAAA"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x := NewExchange("")
		if _, err := x.First(a); err != nil {
			return
		}
		if _, ok, _ := x.Final(b); ok {
			t.Fatal("authenticated by noise")
		}
	})
}
