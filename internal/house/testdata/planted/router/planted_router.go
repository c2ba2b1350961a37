// plant: auth/planted_router.go
// want: the MessageRouter: type messageRouter is named like it ((?i)router$), but the one place is router.Router (router/router.go:
// want: the MessageRouter: type switcher has a method Route, but the one place is router.Router (router/router.go:

package auth

type messageRouter struct{}

type switcher struct{}

func (switcher) Route(frame []byte) []byte { return frame }
