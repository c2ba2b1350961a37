// plant: auth/planted_router.go
// want: there is one MessageRouter, at router/router.go:
// want: there is one MessageRouter, at router/router.go:

package auth

type messageRouter struct{}

type switcher struct{}

func (switcher) Route(frame []byte) []byte { return frame }
