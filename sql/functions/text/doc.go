// Package text holds string, binary string and pattern functions (chapters 9.4, 9.5, 9.7) and number formatting (9.8).
package text
