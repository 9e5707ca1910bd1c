"""A studio for tests: the command in a process of its own, asked by a plain client or a browser."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUILT = Path(__file__).parents[1] / "src/chymist/studio/static/main.js"


@dataclass
class Studio:
    """A studio that runs: `ask` for an answer, `process` to kill it."""

    first: str
    port: int
    process: subprocess.Popen[str]
    cookie: str = ""
    nonce: str = ""

    @property
    def address(self) -> str:
        """An address that opens it in one more browser; each is good for once."""
        return str(self.post("/api/link", None)["address"])

    def ask(
        self, path: str, method: str = "GET", body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:  # fmt: skip
        """Status, headers and content of an answer to the page's own kind of request."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"cookie": self.cookie}
        if method not in ("GET", "HEAD"):
            sent["x-chymist-nonce"] = self.nonce
        content = None if body is None else json.dumps(body)
        link.request(method, path, content, {**sent, **(headers or {})})
        answer = link.getresponse()
        try:
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            link.close()

    def get(self, path: str) -> Any:
        """The JSON of an answer that must be good."""
        status, _, content = self.ask(path)
        assert status == 200, content[:300]
        return json.loads(content)

    def post(self, path: str, body: Any) -> Any:
        """The JSON of an answer to a change that must be good."""
        status, _, content = self.ask(path, "POST", body)
        assert status == 200, content[:300]
        return json.loads(content)

    def enter(self) -> None:
        """Become the browser that opened the address."""
        status, headers, _ = self.ask("/" + self.first.split("/", 3)[3])
        assert status == 303
        self.cookie = headers["set-cookie"].split(";")[0]
        self.nonce = self.get("/api/session")["nonce"]

    def server(self) -> int:
        """The process that serves, a child of the command; killed, it is replaced."""
        number = self.process.pid
        return int(Path(f"/proc/{number}/task/{number}/children").read_text().split()[0])

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


@contextmanager
def studio_of(*folders: Path, port: int = 0, options: tuple[str, ...] = ()) -> Iterator[Studio]:
    """A studio that shows some folders, in a process of its own.

    Args:
        folders: of runs.
        port: 0 takes a free one.
        options: further words of the command.
    """
    words = [sys.executable, "-m", "chymist", "studio", *map(str, folders), "--json"]
    process = subprocess.Popen(
        [*words, "--port", str(port), *options], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        found = Studio(told["address"], told["port"], process)
        found.enter()
        yield found
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
