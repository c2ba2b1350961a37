// Package house holds the rules of the house as tests. What there is one of, and who may import whom, is in ssot.yaml, and
// internal/ssot finds what is not so; here is that it does, with a violation of each rule planted, and what it cannot say:
// how long files and functions are, and that the documents name what is there.
package house
