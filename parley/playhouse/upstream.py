"""Another endpoint behind this address: requests go on to it as they are, and its answers come back as they are."""

from collections.abc import AsyncIterator

from aiohttp import ClientError, ClientSession, ClientTimeout, web

#: Headers that belong to one connection, or that the client sets anew for the next; answers come unpacked.
OWN = {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "accept-encoding"}
SESSION = web.AppKey("session", ClientSession)


def application(url: str) -> web.Application:
    """A server that passes `/v1/…` on to `url` (`https://api.example.org/v1`), keys and all, and keeps nothing."""

    async def forward(request: web.Request) -> web.StreamResponse:
        target = f"{url.rstrip('/')}/{request.match_info['path']}"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OWN}
        try:
            async with request.app[SESSION].request(
                request.method, target, params=request.query, headers=headers, data=await request.read()
            ) as answer:
                back = [(name, value) for name, value in answer.headers.items() if name.lower() not in OWN]
                return web.Response(body=await answer.read(), status=answer.status, headers=back)
        except (ClientError, OSError, TimeoutError) as error:
            message = f"{url}: {str(error) or type(error).__name__}"
            return web.json_response({"error": {"message": message, "type": "upstream_error"}}, status=502)

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application(client_max_size=16 * 2**20)
    app.cleanup_ctx.append(_session)
    app.router.add_route("*", "/v1/{path:.*}", forward)
    app.router.add_get("/health", health)
    return app


async def _session(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession(trust_env=True, timeout=ClientTimeout(total=None)) as session:
        app[SESSION] = session
        yield
