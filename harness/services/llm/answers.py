"""What the provider says: the JSON shapes of the OpenAI chat API, with a text that follows from the call. Pure."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.errors import ExitCode, HarnessError
from harness.services.llm.http import Response

MODEL = "fault-injecting"
GARBAGE = "<<< this is not JSON"


@dataclass(frozen=True, slots=True)
class Chat:
    """What a caller asks for."""

    model: str
    messages: tuple[dict[str, object], ...]
    stream: bool

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that follow from the messages alone."""
        text = json.dumps(self.messages, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def parse_chat(body: bytes) -> Chat:
    """The chat in a request body; ``HarnessError`` says in one line what is wrong with it."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise HarnessError("body: not valid JSON", ExitCode.USAGE) from None
    if not isinstance(value, dict):
        raise HarnessError("body: must be an object with messages", ExitCode.USAGE)
    model, messages, stream = value.get("model", MODEL), value.get("messages"), value.get("stream", False)
    if not isinstance(model, str):
        raise HarnessError("model: must be a string", ExitCode.USAGE)
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise HarnessError("messages: must be a list of at least one object", ExitCode.USAGE)
    if not isinstance(stream, bool):
        raise HarnessError("stream: must be true or false", ExitCode.USAGE)
    return Chat(model, tuple(messages), stream)


def good(chat: Chat, number: int, created: int) -> Response:
    """The answer to the ``number``-th call, a stream if the caller asked for one; ``created`` is in Unix seconds."""
    text = f"Answer {number} to prompt {chat.digest}."
    if chat.stream:
        return Response(200, b"".join(_events(chat, number, created, text)), "text/event-stream")
    prompt_tokens, completion_tokens = _tokens(chat), len(text.split())
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    return json_response(
        200, _envelope(chat, number, created, "chat.completion") | {"choices": [choice], "usage": usage}
    )


def garbage(chat: Chat) -> Response:
    """What is no JSON, where JSON is due."""
    if chat.stream:
        return Response(200, f"data: {GARBAGE}\n\n".encode(), "text/event-stream")
    return Response(200, GARBAGE.encode())


def error(status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """An error in the shape that clients of the chat API expect."""
    kind = _ERROR_KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    return json_response(
        status, {"error": {"message": message, "type": kind, "param": None, "code": str(status)}}, headers
    )


def models() -> Response:
    """The list of models: one."""
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "harness"}
    return json_response(200, {"object": "list", "data": [model]})


def json_response(status: int, value: object, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """``value`` as a JSON answer; ASCII only, so that no text in it can mean more than itself."""
    return Response(status, json.dumps(value).encode(), headers=headers)


_ERROR_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def _events(chat: Chat, number: int, created: int, text: str) -> Iterator[bytes]:
    envelope = _envelope(chat, number, created, "chat.completion.chunk")
    words = [{"content": word} for word in re.findall(r"\S+ ?", text)]
    for delta in [{"role": "assistant", "content": ""}, *words]:
        yield _event(envelope | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event(envelope | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield b"data: [DONE]\n\n"


def _event(value: object) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def _envelope(chat: Chat, number: int, created: int, kind: str) -> dict[str, object]:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": created, "model": chat.model}


def _tokens(chat: Chat) -> int:
    """Words stand in for tokens: what counts is that the same prompt costs the same each time."""
    return sum(len(str(message.get("content", "")).split()) for message in chat.messages)
