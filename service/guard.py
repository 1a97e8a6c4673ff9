"""Who may ask: keys, roles and rates, settled before a request is read."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import BadSettings, WhosaysError
from rag.settings import ServiceSettings, Settings
from service.keys import Key, open_keys
from service.limits import Buckets, network_of
from service.problems import FORBIDDEN, TOO_MANY, UNAUTHORIZED, ProblemResponse, Refusal, problem_of

GUARDED = ("/v1/", "/mcp", "/metrics")
CALLER = "whosays.caller"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: with which key, if any, and whether one is needed."""

    key: Key | None
    must_have_key: bool


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keys_required(service: ServiceSettings) -> bool:
    """Whether every asker must show a key; raises BadSettings for a wrong setting."""
    if service.require_keys not in ("auto", "always"):
        raise BadSettings(
            f'service.require_keys is {service.require_keys!r}, but it takes "auto" or "always".',
            hint="Correct the value.",
        )
    return service.require_keys == "always" or not is_loopback(service.host)


def check_keys(settings: Settings) -> None:
    """Raise BadSettings where keys are required and there is none: nobody could ask."""
    if keys_required(settings.service) and not (open_keys(settings).has("asker") or open_keys(settings).has("admin")):
        raise BadSettings(
            f"service.host is {settings.service.host}, which others can reach, and there is no key yet.",
            hint=f"Make one first: whosays keys add NAME --index {settings.index}",
        )


class Guard:
    """Turns away whoever has no key, or asks too often, before anything is read or looked up."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._keys = open_keys(settings)
        self._required = keys_required(settings.service)
        # A service for one's own machine limits nobody.
        self._by_key = Buckets(settings.service.key_rate if self._required else 0)
        self._by_address = Buckets(settings.service.address_rate if self._required else 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            try:
                scope[CALLER] = self._caller(scope)
            except (Refusal, WhosaysError) as error:
                headers = dict(error.headers or {}) if isinstance(error, Refusal) else {}
                await ProblemResponse(problem_of(error), headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> Caller:
        guarded = scope["path"].startswith(GUARDED)
        if guarded:
            # Before the key is looked at, so that keys cannot be tried out.
            self._take(self._by_address, network_of((scope.get("client") or ("",))[0]), "This address")
        shown = Headers(scope=scope).get("authorization")
        key = self._key(shown) if shown is not None else None
        # Where none is needed any is let pass: many programs cannot ask without sending one.
        if guarded and key is None and self._required:
            raise Refusal(UNAUTHORIZED, "The key is missing or not valid.")
        if guarded and key is not None:
            self._take(self._by_key, key.id, "This key")
        return Caller(key, self._required)

    def _key(self, shown: str) -> Key | None:
        scheme, _, secret = shown.partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self._keys.find(secret.strip())

    def _take(self, buckets: Buckets, name: str, who: str) -> None:
        wait = buckets.wait_of(name)
        if wait:
            raise Refusal(TOO_MANY, f"{who} has asked too often.", retry_after=wait)


def caller_of(request: Request) -> Caller:
    """Who sent a request."""
    caller: Caller = request.scope[CALLER]
    return caller


def admin_of(request: Request) -> Key:
    """The admin who sent a request; raises a Refusal for anybody else."""
    caller = caller_of(request)
    if caller.key is None:
        raise Refusal(UNAUTHORIZED, "This takes the key of an admin.")
    if caller.key.role != "admin":
        raise Refusal(FORBIDDEN, "This takes the key of an admin.")
    return caller.key


TheCaller = Annotated[Caller, Depends(caller_of)]
Admin = Annotated[Key, Depends(admin_of)]
