// Package client speaks the switchboard.v1 protocol: it logs in, sends messages and follows the events of one user.
//
// Conn is one connection and nothing more. Client keeps one: it reconnects with the last cursor, repeats what was not
// answered with the same id, drops events it already has and assembles the text of answers while they are written. So a
// program sees every event of its user once and in the order of each thread, through cuts, restarts and deploys; where
// the server cannot continue from the cursor, an Update with State Resync says so and the program reloads its threads.
//
// A quick start, with the errors left out:
//
//	session, err := client.Login(ctx, client.Config{URL: url}, "ada", password)
//	c, err := client.Open(ctx, client.Config{URL: url, Token: session.Token})
//	defer c.Close()
//	ack, err := c.Send(ctx, switchboard.UserMessage{Text: "What is 6 * 7?"}, "") // "": a new thread
//	for u := range c.Updates() {
//		if u.Event == nil || u.Event.RunID != ack.RunID {
//			continue // another run, a text that grows (u.Text), or news of the connection (u.State)
//		}
//		if p, ok := u.Event.Payload.(*switchboard.AgentCompletedEvent); ok {
//			fmt.Println(p.Text)
//			break
//		}
//	}
//
// Errors of the server are *switchboard.Error, with code, field and the time to wait; the end of a connection is a
// *CloseError. Everything here may be used by several goroutines at once unless it says otherwise. The package keeps no
// history and stores no cursor: a program that wants to go on after a restart saves Update.Cursor.
package client
