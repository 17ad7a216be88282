// Package composite holds the comparison functions of row values and the
// functions of enum types.
//
// Rows compare column by column; rows of different shape are errors (42804), as
// are columns without an ordering (42883). The record_image_… family compares
// stored bytes instead of values: here the internal forms.
//
// Enum order and labels come from Env.Resolver; the functions that list an
// enum's values need it to be a types.EnumLister.
package composite
