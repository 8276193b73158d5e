"""The OpenAPI schema: each view says its own shapes; here is what all operations have in common."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from portal.api.problems import PROBLEM_TYPE, ProblemSerializer

PREFIX = "/api/v1/"


class Schema(AutoSchema):
    """Groups operations by their noun, and adds the problems that any of them may answer."""

    def get_tags(self) -> list[str]:
        nouns = [
            part for part in self.path.removeprefix(PREFIX).split("/") if part and not part.startswith("{")
        ]
        nested = self.path.startswith(f"{PREFIX}projects/{{") and len(nouns) > 1
        return [nouns[1] if nested else nouns[0]]

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        statuses = ["401", "403", "404"] if self.method == "GET" else ["400", "401", "403", "404", "409"]
        for status in statuses:
            if status not in bodies:
                bodies[status] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                    ProblemSerializer, status, [PROBLEM_TYPE], direction
                )
        return bodies


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A token, as the schema says it."""

    target_class = "portal.api.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "csn_…"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A session, as the schema says it."""

    target_class = "portal.api.auth.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "countersign_session"}
