"""Every address of the portal as the resolver has it, and what stands in its places. For tests that try them all."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

from django.http import QueryDict
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern, RoutePattern
from django.utils.datastructures import MultiValueDict

PLACE = re.compile(r"<(?:\w+:)?(\w+)>")
# A place of an address that is written as a regular expression, as Django's admin has two and SCIM one.
_NAMED = re.compile(r"\(\?P<(\w+)>[^()]*\)")


@dataclass(frozen=True, slots=True)
class Route:
    """An address as a person writes it, such as `/projects/<key>/`, and what answers there."""

    path: str
    view: Any

    @property
    def places(self) -> list[str]:
        """The names of what has to be filled in."""
        return PLACE.findall(self.path)


@cache
def routes() -> tuple[Route, ...]:
    """Every address there is: pages, API, SCIM and Django's admin."""
    return tuple(sorted(_walk(get_resolver().url_patterns, "/"), key=lambda route: route.path))


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[Route]:
    for entry in patterns:
        path = before + _spelled(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, path)
        else:
            yield Route(path, entry.callback)


def _spelled(pattern: Any) -> str:
    """A part of an address with its places as `<name>`, however it is written in the map."""
    if isinstance(pattern, RoutePattern):
        return PLACE.sub(r"<\1>", str(pattern))
    assert isinstance(pattern, RegexPattern), pattern
    text = _NAMED.sub(r"<\1>", str(pattern)).removeprefix("^").removesuffix("$").removesuffix("\\Z")
    return "<anything>" if text == ".*" else text


def written(text: str) -> str:
    """A text as it stands in an address."""
    return quote(text, safe="", errors="surrogateescape")


@dataclass(frozen=True, slots=True)
class Things:
    """What stands in the places of addresses: by word and name (`people/<login>`), by the word before, or by the name.

    "1" stands for the rest.
    """

    by_word: Mapping[str, Any] = field(default_factory=dict)

    def value(self, path: str, place: re.Match[str]) -> str:
        """What stands in one place of an address."""
        before = path[: place.start()].strip("/").rpartition("/")[2]
        for known in (f"{before}/<{place[1]}>", before, place[1]):
            if known in self.by_word:
                return str(self.by_word[known])
        return "1"

    def fill(self, path: str, odd: Mapping[str, str] | None = None) -> str:
        """The address with every place filled in; `odd`: what stands in some places instead, by name."""

        def put(place: re.Match[str]) -> str:
            name = place[1]
            return written(odd[name] if odd and name in odd else self.value(path, place))

        return PLACE.sub(put, path)


def names_read(get_page: Callable[[str], Any], path: str) -> set[str]:
    """Which names of the query a view looks for, found by asking it."""
    read: set[str] = set()
    get, every = MultiValueDict.__getitem__, MultiValueDict.getlist

    # The map of addresses is such a dictionary too, and is asked for every link of a page.
    def spying(self: Any, key: str) -> Any:
        if isinstance(self, QueryDict):
            read.add(key)
        return get(self, key)

    def spying_list(self: Any, key: str, default: Any = None) -> Any:
        if isinstance(self, QueryDict):
            read.add(key)
        return every(self, key, default)

    with patch.multiple(MultiValueDict, __getitem__=spying, getlist=spying_list):
        get_page(f"{path}?odd=1")
    return read
