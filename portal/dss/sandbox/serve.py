"""Starting the sandbox: arguments, the port and token of a data directory, and the server loop.

Shared by `manage.py sandbox` and `python -m portal.dss.sandbox`.
"""

import argparse
import json
import logging
import os
import random
import secrets
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from portal.dss.sandbox.app import Application, found_if_new
from portal.dss.sandbox.estate import NODE_KINDS_BY_NAME, TECHNICAL_ACCOUNT, account_key
from portal.dss.sandbox.state import Json, Store
from portal.dss.sandbox.wire import EstateUrls, Node

# Below the range that systems hand out for outgoing connections, so that a restart finds its port free.
_PORTS = range(20_000, 32_000)
_PORT_TRIES = 200


class QuietHandler(WSGIRequestHandler):
    """Answers without delay and without a line per request."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes; with Nagle's algorithm each answer would wait for the client's delayed ACK.
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """No access log: the control API lists the requests seen."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of both entry points."""
    parser.add_argument("--data-dir", required=True, type=Path, help="folder for state, keys and archives")
    parser.add_argument(
        "--port", type=int, default=0, help="port (default: the one this folder had, or a free one)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--public-url", default="", help="base URL to announce, when it is not the address")
    parser.add_argument(
        "--json", action="store_true", help="print one line of JSON first: nodes, URLs, demo keys"
    )
    parser.add_argument(
        "--pace", type=float, default=1.0, help="factor on all durations (default: %(default)s)"
    )
    parser.add_argument(
        "--design-deployer",
        action="store_true",
        help="the design node answers the Deployer's endpoints as well",
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when standard input closes (for programs that start it)",
    )


def _identity(data_dir: Path) -> Json:
    """Port and control token of a data directory; made once."""
    path = data_dir / "sandbox.json"
    if path.exists():
        stored: Json = json.loads(path.read_text())
        return stored
    return {"port": 0, "token": secrets.token_urlsafe(24)}


def _keep_identity(data_dir: Path, identity: Json) -> None:
    path = data_dir / "sandbox.json"
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(identity, out)
    os.replace(fresh, path)


def _bind(host: str, port: int) -> BaseWSGIServer:
    """A server on the port, or on a free one; the application comes later."""

    def nothing_yet(environ: Any, start_response: Any) -> list[bytes]:
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return []

    if port:
        return make_server(host, port, nothing_yet, threaded=True, request_handler=QuietHandler)
    for _ in range(_PORT_TRIES):
        try:
            return make_server(
                host, random.choice(_PORTS), nothing_yet, threaded=True, request_handler=QuietHandler
            )
        except (OSError, SystemExit):
            continue
    raise SystemExit("The sandbox found no free port; choose one with --port.")


def announcement(store: Store, urls: EstateUrls, token: str, control_url: str) -> Json:
    """What `--json` prints: nodes with URL and the technical account's key, every other key, the control API."""
    with store.transaction() as tx:
        nodes = [
            {
                "name": node.name,
                "kind": node.kind,
                "url": node.url,
                "key": account_key(tx, node.name)["key"],
                "key_name": node.name,
            }
            for node in urls.nodes.values()
        ]
        keys = [
            {"node": node.name, "login": key["login"], "key": key["key"], "admin": key["admin"]}
            for node in urls.nodes.values()
            for key in tx.docs(node.name, "key")
            if key["login"] != TECHNICAL_ACCOUNT
        ]
    return {"nodes": nodes, "keys": keys, "control": {"url": control_url, "token": token}}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _watch_stdin() -> None:
    """End the process when the program that started it is gone, however it went."""
    # Not through sys.stdin: its lock, held by a daemon thread, would make the interpreter abort at its own end.
    while os.read(0, 4096):
        continue
    os._exit(0)


def serve(options: argparse.Namespace) -> None:
    """Run until told to stop."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    if options.until_stdin_closes:
        threading.Thread(target=_watch_stdin, daemon=True).start()
    store = Store(options.data_dir.resolve(), time.time)
    identity = _identity(store.data_dir)
    server = _bind(options.host, options.port or identity["port"])
    port = int(server.server_port)
    _keep_identity(store.data_dir, {**identity, "port": port})
    local = f"http://127.0.0.1:{port}"
    base = options.public_url.rstrip("/") or local
    urls = EstateUrls(
        base,
        {name: Node(name, kind, f"{base}/{name}") for name, kind in NODE_KINDS_BY_NAME.items()},
        options.design_deployer,
    )
    found_if_new(store, urls, options.pace)
    server.app = Application(store, urls, identity["token"])
    announced = announcement(store, urls, identity["token"], f"{local}/sandbox")
    if options.json:
        _say(json.dumps(announced))
    else:
        for node in announced["nodes"]:
            _say(f"{node['name']:<10} {node['kind']:<11} {node['url']}  key {node['key']}")

    def stop(number: int, frame: FrameType | None) -> None:
        # shutdown() must not be called from the thread that serves.
        threading.Thread(target=server.shutdown, daemon=True).start()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
    try:
        server.serve_forever(poll_interval=0.05)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        store.close()
