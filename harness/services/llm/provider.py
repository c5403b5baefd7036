"""The provider: plays one step of its script for each call, and logs what became of it."""

import asyncio
import time

from harness.errors import HarnessError
from harness.services.llm import answers
from harness.services.llm.answers import Chat, parse_chat
from harness.services.llm.calls import Call, CallLog, Outcome
from harness.services.llm.http import BadRequest, Request, Response
from harness.services.llm.steps import (
    Garbage,
    Hang,
    Ok,
    Player,
    Reset,
    Script,
    SlowBody,
    SlowFirstByte,
    Status,
    Step,
    Truncated,
    parse_script,
    parse_step_text,
    step_json,
)
from harness.services.llm.wire import ClientLeft, Wire

KEY_LIMIT = 200
"""Characters of an ``X-Request-Id``: keys are kept, and what is kept is bounded."""

_CHAT = "/v1/chat/completions"
_ALLOW = {_CHAT: "POST", "/v1/models": "GET", "/health": "GET", "/script": "PUT", "/calls": "GET, DELETE"}


class Provider:
    """Answers connections; all of them share one script and one log."""

    def __init__(self, script: Script) -> None:
        self._player = Player(script)
        self._log = CallLog()

    async def serve(self, wire: Wire) -> None:
        """Answer the requests of one connection until it ends."""
        try:
            await self._serve(wire)
        except (ClientLeft, OSError):
            pass
        finally:
            wire.close()

    async def _serve(self, wire: Wire) -> None:
        try:
            while (request := await wire.receive()) and await self._answer(request, wire):
                pass
        except BadRequest as error:
            await _send(wire, answers.error(error.status, str(error)), keep_alive=False)
            await wire.linger()

    async def _answer(self, request: Request, wire: Wire) -> bool:
        """Answer one request; False if the connection has to end with it."""
        if (request.method, request.path) == ("POST", _CHAT):
            return await self._chat(request, wire)
        await _send(wire, self._manage(request), keep_alive=request.keep_alive)
        return request.keep_alive

    def _manage(self, request: Request) -> Response:
        """Everything but calls."""
        match request.method, request.path:
            case "GET", "/health":
                return answers.json_response(200, {"status": "ok"})
            case "GET", "/v1/models":
                return answers.models()
            case "PUT", "/script":
                return self._replace_script(request.body)
            case "GET", "/calls":
                return answers.json_response(200, self._log.as_json())
            case "DELETE", "/calls":
                self._log.clear()
                return answers.json_response(200, self._log.as_json())
            case _, path if path in _ALLOW:
                return answers.error(405, f"allowed here: {_ALLOW[path]}", (("Allow", _ALLOW[path]),))
            case _:
                return answers.error(404, f"there is no such path; there are: {', '.join(_ALLOW)}")

    def _replace_script(self, body: bytes) -> Response:
        try:
            script = parse_script(body)
        except HarnessError as error:
            return answers.error(400, str(error))
        self._player = Player(script)
        return answers.json_response(200, {"steps": len(script.steps), "seed": script.seed})

    async def _chat(self, request: Request, wire: Wire) -> bool:
        key = request.headers.get("x-request-id")
        if key is not None and len(key) > KEY_LIMIT:
            raise BadRequest(400, f"X-Request-Id is longer than {KEY_LIMIT} characters")
        call = self._log.arrive(key)
        step: Step = Ok()
        try:
            chat = parse_chat(request.body)
            step = self._step(request)
            call.step = step_json(step)
            response = _response(step, chat, call.number)
        except HarnessError as error:
            response = answers.error(400, str(error))
        try:
            call.end(await _deliver(step, response, call, wire, keep_alive=request.keep_alive))
        except (ClientLeft, OSError):
            call.end("client left")
        return request.keep_alive and call.outcome == "answered"

    def _step(self, request: Request) -> Step:
        own = request.headers.get("x-llm-step")
        return self._player.next() if own is None else self._player.draw(parse_step_text(own, "X-LLM-Step"))


def _response(step: Step, chat: Chat, number: int) -> Response:
    match step:
        case Status(code, retry_after):
            headers = () if retry_after is None else (("Retry-After", _seconds(retry_after)),)
            return answers.error(code, f"scripted failure {code}", headers)
        case Garbage():
            return answers.garbage(chat)
        case _:
            return answers.good(chat, number, created=time.time_ns() // 10**9)


async def _deliver(step: Step, response: Response, call: Call, wire: Wire, *, keep_alive: bool) -> Outcome:
    match step:
        case Hang(seconds):
            await wire.pause(seconds)
            return "closed"
        case Reset():
            wire.reset()
            return "reset"
        case SlowFirstByte(seconds):
            await wire.pause(seconds)
        case _:
            pass
    head, body = response.head(keep_alive=keep_alive), response.body
    call.answer(response.status)
    match step:
        case Truncated():
            await wire.send(head + body[: len(body) // 2])
            return "truncated"
        case SlowBody(seconds, chunks):
            await wire.send(head)
            await _drip(wire, body, seconds, chunks)
        case _:
            await wire.send(head + body)
    return "answered"


async def _drip(wire: Wire, body: bytes, seconds: float, chunks: int) -> None:
    """Send ``body`` in equal pieces, the last one when ``seconds`` are over."""
    clock = asyncio.get_running_loop().time
    start = clock()
    for done in range(chunks):
        # Against the start, not against the last piece: late wake-ups must not add up.
        await wire.pause(start + seconds * (done + 1) / chunks - clock())
        await wire.send(body[len(body) * done // chunks : len(body) * (done + 1) // chunks])


async def _send(wire: Wire, response: Response, *, keep_alive: bool) -> None:
    await wire.send(response.head(keep_alive=keep_alive) + response.body)


def _seconds(value: float) -> str:
    """Plain decimal digits down to the millisecond: whole numbers whole, as RFC 9110 wants them in ``Retry-After``."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
