"""A person at the portal: signs in through the login page, then speaks the REST API with session and CSRF token.

Reads are repeated while the portal is away; writes are not, unless it surely did not take them: the story looks first.
"""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import requests

from portal.demo.cast import PASSWORD, Player

PATIENCE = 60.0  # seconds the portal may be away, and the longest that anything in the story may take


class DemoFailed(RuntimeError):
    """A chapter did not happen; the text says which and why."""


class Problem(DemoFailed):
    """The API refused: problem+json with its sentence."""

    def __init__(self, status: int, body: dict[str, Any], what: str) -> None:
        super().__init__(f"{what}: {status} {body.get('detail') or body}")
        self.status = status
        self.code = str(body.get("code", ""))
        self.detail = str(body.get("detail", ""))


class Visitor:
    """One signed-in player."""

    def __init__(self, url: str, player: Player) -> None:
        self.url = url
        self.player = player
        self._session = requests.Session()

    def sign_in(self) -> None:
        """Fill in the login form."""
        answer = self._patiently(
            lambda: self._fill_in("login", username=self.player.login, password=PASSWORD)
        )
        if answer.status_code != 302:
            raise DemoFailed(f"{self.player.name} could not sign in ({answer.status_code}).")

    def choose_password(self, code: str) -> None:
        """Set the first password, with a code from an administrator, once: who is left in doubt looks first."""
        answer = self._fill_in(
            "set-password", login=self.player.login, code=code, new=PASSWORD, again=PASSWORD
        )
        if answer.status_code >= 500:
            answer.raise_for_status()
        if answer.status_code != 302:
            raise DemoFailed(f"{self.player.name} could not set a password ({answer.status_code}).")

    def _fill_in(self, form: str, **fields: str) -> requests.Response:
        address = f"{self.url}/{form}/"
        page = self._patiently(lambda: self._session.get(address, timeout=30))
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        return self._session.post(
            address,
            data={**fields, "csrfmiddlewaretoken": token[1] if token else ""},
            headers={"Referer": address},
            timeout=30,
            allow_redirects=False,
        )

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a GET; raises Problem for a refusal."""
        return self._json(self._patiently(lambda: self._send("GET", path, params=params)), f"GET {path}")

    def find(self, path: str, **params: Any) -> Any | None:
        """As `get`, None for what is absent."""
        try:
            return self.get(path, **params)
        except Problem as problem:
            if problem.status == 404:
                return None
            raise

    def every(self, path: str, **params: Any) -> Iterator[Any]:
        """All results of a paginated list."""
        page = self.get(path, **params)
        while True:
            yield from page["results"]
            if not page.get("next"):
                return
            page = self._json(self._patiently(partial(self._session.get, page["next"], timeout=30)), path)

    def post(self, path: str, **body: Any) -> Any:
        """The JSON of a POST; raises Problem for a refusal, ConnectionError when it is not known what became of it."""
        return self._json(self._send("POST", path, json=body), f"POST {path}")

    def download(self, path: str) -> bytes:
        """The bytes of a GET."""
        answer = self._patiently(lambda: self._send("GET", path))
        if answer.status_code != 200:
            raise DemoFailed(f"GET {path}: {answer.status_code}")
        return answer.content

    def _send(self, method: str, path: str, **given: Any) -> requests.Response:
        if "countersign_session" not in self._session.cookies:
            self.sign_in()
        headers = {"X-CSRFToken": self._session.cookies.get("countersign_csrf", ""), "Referer": self.url}
        return self._session.request(
            method, f"{self.url}/api/v1/{path}", headers=headers, timeout=30, **given
        )

    @staticmethod
    def _json(answer: requests.Response, what: str) -> Any:
        try:
            body = answer.json() if answer.content else {}
        except ValueError:
            body = {"detail": answer.text[:300]}
        if answer.status_code >= 400:
            raise Problem(answer.status_code, body, what)
        return body

    @staticmethod
    def _patiently(call: Callable[[], requests.Response]) -> requests.Response:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = call()
            except requests.RequestException:
                if time.monotonic() > deadline:
                    raise DemoFailed("The portal did not answer for a minute.") from None
                time.sleep(0.2)
                continue
            if (
                answer.status_code in (502, 503)
                and time.monotonic() < deadline
                and "problem" not in answer.headers.get("Content-Type", "")
            ):
                time.sleep(0.2)
                continue
            return answer


def ensure(look: Callable[[], Any], act: Callable[[], Any]) -> Any:
    """What `look` finds; while there is nothing, `act` and look again. What broke off is not repeated blindly."""
    deadline = time.monotonic() + PATIENCE
    last: Exception | None = None
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise DemoFailed(f"Something was asked for and did not come to be within a minute. {last or ''}")
        try:
            act()
        except requests.RequestException as error:
            last = error
            time.sleep(0.3)  # the portal went away in the middle; look whether it took it
        except Problem as problem:
            if problem.status < 500:
                raise
            last = problem
            time.sleep(0.3)


def wait_for(what: str, look: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What `look` finds as soon as it finds something; raises DemoFailed after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = 0.05
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(pause)
        pause = min(0.5, pause * 1.3)
    raise DemoFailed(f"{what} did not happen within {seconds:.0f} seconds.")
