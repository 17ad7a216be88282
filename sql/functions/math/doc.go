// Package math holds the mathematical functions of the manual's chapter 9.3.
package math
