// Package json holds the functions, operators and aggregates of json, jsonb and
// jsonpath (chapter 9.16 of PostgreSQL's manual).
//
// json is text: its functions split the text into a tree of source texts
// (types.SplitJSON) and answer with pieces of it, spelled as they were. jsonb is
// the searchable binary form of types.JSONB: reading functions walk it without
// decoding, writing functions work on types.JSONNode trees whose untouched
// parts stay encoded (JSONNode.Raw).
//
// Files: convert.go (SQL values to JSON), access.go (-> and friends), build.go,
// sets.go (each, elements, keys), modify.go (jsonb_set, ||, -, …), contain.go
// (@>, ?, comparison, casts), populate.go (JSON to rows), aggregates.go,
// path….go (jsonpath).
//
// What is not here: parsing, printing, ordering and the binary form (sql/types).
package json
