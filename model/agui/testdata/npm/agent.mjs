// An agent written with the stock AG-UI SDK: the input is checked by its schema, the events by its verifier. It remembers
// each thread by the ids of messages, as agents with a checkpointer do, and says with every answer how many questions it
// knows of. It prints its port, and ends with its standard input.
import { createServer } from "node:http"
import { AbstractAgent, enforceOutgoingInput, verifyEvents } from "@ag-ui/client"
import { EventType } from "@ag-ui/core"
import { RunAgentInputSchema } from "@ag-ui/core/schemas"
import { EventEncoder } from "@ag-ui/encoder"
import { Observable } from "rxjs"

const threads = new Map()

class Remote extends AbstractAgent {
  run(input) {
    return new Observable((out) => {
      try {
        this.answer(input, (type, event = {}) => out.next({ type, ...event }))
      } catch (e) {
        out.next({ type: EventType.RUN_ERROR, message: String(e), code: "invalid_input" })
      }
      out.complete()
    })
  }

  answer(input, emit) {
    const { threadId, runId } = input
    if (!threads.has(threadId)) threads.set(threadId, { messages: new Map(), interrupts: new Set() })
    const thread = threads.get(threadId)
    for (const m of input.messages) thread.messages.set(m.id, m)
    const known = [...thread.messages.values()]
    const asked = known.filter((m) => m.role === "user")
    const last = input.messages.at(-1)
    const question = asked.at(-1).content
    const message = (n) => `${runId}-m${n}`

    emit(EventType.RUN_STARTED, { threadId, runId })
    const end = (outcome = { type: "success" }, more = {}) => emit(EventType.RUN_FINISHED, { threadId, runId, outcome, ...more })
    const say = (n, text) => {
      const id = message(n)
      thread.messages.set(id, { id, role: "assistant", content: text })
      emit(EventType.TEXT_MESSAGE_START, { messageId: id, role: "assistant" })
      for (const delta of text.split(/(?<= )/)) emit(EventType.TEXT_MESSAGE_CONTENT, { messageId: id, delta })
      emit(EventType.TEXT_MESSAGE_END, { messageId: id })
    }
    const call = (id, name, args, parent) => {
      const text = JSON.stringify(args)
      emit(EventType.TOOL_CALL_START, { toolCallId: id, toolCallName: name, parentMessageId: parent })
      emit(EventType.TOOL_CALL_ARGS, { toolCallId: id, delta: text })
      emit(EventType.TOOL_CALL_END, { toolCallId: id })
      thread.messages.set(parent, { id: parent, role: "assistant", toolCalls: [{ id, type: "function", function: { name, arguments: text } }] })
    }
    const result = (id, content) => emit(EventType.TOOL_CALL_RESULT, { toolCallId: id, messageId: `${id}-result`, content, role: "tool" })
    const done = (text) => {
      say(9, `${text} (${asked.length} questions)`)
      end()
    }

    if (thread.interrupts.size > 0) {
      const resume = input.resume ?? []
      if (resume.length !== thread.interrupts.size || resume.some((r) => !thread.interrupts.has(r.interruptId))) throw new Error("not resumed")
      thread.interrupts.clear()
      const { approved, editedArgs } = resume[0].payload
      result(thread.wanted.id, approved ? "sent" : "refused")
      return done(approved ? `Sent to ${(editedArgs ?? thread.wanted).to}.` : "Not sent.")
    }
    if (last.role === "tool") return done(`It is ${last.content}.`)
    switch (question.split(" ")[0]) {
      case "search":
        emit(EventType.REASONING_START, { messageId: message(1) })
        emit(EventType.REASONING_MESSAGE_START, { messageId: message(1), role: "reasoning" })
        emit(EventType.REASONING_MESSAGE_CONTENT, { messageId: message(1), delta: "I have to look." })
        emit(EventType.REASONING_MESSAGE_END, { messageId: message(1) })
        emit(EventType.REASONING_END, { messageId: message(1) })
        call(`${runId}-c1`, "search", { query: question }, message(2))
        result(`${runId}-c1`, "three hits")
        return done("There are three.")
      case "time":
        if (!input.tools.some((t) => t.name === "clock" && t.parameters.type === "object")) throw new Error("no clock")
        say(1, "I ask the clock.")
        call(`${runId}-c1`, "clock", {}, message(1))
        return end({ type: "success", pendingToolCallIds: [`${runId}-c1`] }, { usage: [{ inputTokens: 5, outputTokens: 7 }] })
      case "send":
        thread.wanted = { id: `${runId}-c1`, to: "ann" }
        thread.interrupts.add("i1")
        call(thread.wanted.id, "send", { to: "ann" }, message(1))
        emit(EventType.MESSAGES_SNAPSHOT, { messages: [...thread.messages.values()] })
        return end({ type: "interrupt", interrupts: [{ id: "i1", reason: "tool_call", message: "May I?", toolCallId: thread.wanted.id }] })
      case "count":
        if (input.state.count === undefined) emit(EventType.STATE_SNAPSHOT, { snapshot: { count: 1 } })
        else emit(EventType.STATE_DELTA, { delta: [{ op: "replace", path: "/count", value: input.state.count + 1 }] })
        return done(`Counted from ${input.state.count ?? 0}.`)
      case "fail":
        throw new Error("as you say")
      case "chunks":
        for (const delta of ["in ", "chunks"]) emit(EventType.TEXT_MESSAGE_CHUNK, { messageId: message(1), role: "assistant", delta })
        return end()
    }
    done(`You said ${question}.`)
  }
}

const server = createServer((req, res) => {
  let body = ""
  req.on("data", (b) => (body += b))
  req.on("end", () => {
    let input
    try {
      if (req.headers.authorization !== "Bearer token") return res.writeHead(401).end()
      input = RunAgentInputSchema.strict().parse(JSON.parse(body))
      enforceOutgoingInput(input)
      if (new Set(input.messages.map((m) => m.id)).size !== input.messages.length) throw new Error("an id twice")
    } catch (e) {
      return res.writeHead(400, { "Content-Type": "application/json" }).end(JSON.stringify({ error: String(e) }))
    }
    const encoder = new EventEncoder({ accept: req.headers.accept })
    res.writeHead(200, { "Content-Type": encoder.getContentType() })
    const agent = new Remote({ threadId: input.threadId })
    // The verifier does not know chunks, which clients make events of before.
    const chunks = input.messages.at(-1).content === "chunks"
    const events = chunks ? agent.run(input) : agent.run(input).pipe(verifyEvents(false))
    events.subscribe({ next: (e) => res.write(encoder.encode(e)), error: () => res.destroy(), complete: () => res.end() })
  })
})
server.listen(0, "127.0.0.1", () => console.log(server.address().port))
process.stdin.resume().on("end", () => process.exit(0))
