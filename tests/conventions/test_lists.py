"""Every list of the API comes in pages, in an order in which no row stands beside another."""

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from portal.api.listing import Listing

# What answers a GET at an address that ends in no name or number, and is one thing all the same.
ONE_THING = {
    "me/": "who asks",
    "inbox/": "three lists, each cut at the same length",
    "schema/": "one text",
    "docs/": "one page",
    "requests/<int:number>/gate/": "one judgement",
    "requests/<int:number>/signing/": "one statement",
    "people/<str:login>/duties/": "all that one hand-over is about",
    "rights/": "one matrix, whose rows have pages of their own",
    "projects/<str:key>/rights/": "one matrix",
    "projects/<str:key>/materiality/": "one standing",
    "portfolios/<str:slug>/rights/": "one matrix",
    "teams/<str:slug>/rights/": "one matrix",
    "rights/file/": "one file",
    "estate/file/": "one file",
    "projects/<str:key>/owners/dss/": "who owns and works on one project in DSS",
    "reports/<int:number>/pdf/": "one file",
    "documents/<int:number>/content/": "one file",
    "projects/<str:key>/bundles/<str:bundle_id>/model-card/": "one form, of as many sections as Annex IV has points",
    "projects/<str:key>/combinations/": "one project, what is named cut at the same length",
    "access-reviews/<int:number>/signatures/<int:signature>/statement/": "one file",
    "projects/<str:key>/bundles/<str:bundle_id>/manifest/": "one file",
    "projects/<str:key>/bundles/<str:bundle_id>/diff/": "one comparison",
    "projects/<str:key>/documents/<str:kind>/diff/": "one comparison",
}
PREFIX = "api/v1/"


def read_at() -> dict[str, type]:
    """Address behind /api/v1/ -> its view, for all that answer a GET."""

    def walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, type]]:
        for entry in patterns:
            path = before + str(entry.pattern)
            if isinstance(entry, URLResolver):
                yield from walk(entry.url_patterns, path)
            elif path.startswith(PREFIX) and hasattr(entry.callback, "cls"):
                yield path.removeprefix(PREFIX), entry.callback.cls

    return {path: view for path, view in walk(get_resolver().url_patterns, "") if hasattr(view, "get")}


VIEWS = read_at()
LISTS = {path: view for path, view in VIEWS.items() if not path.endswith(">/") and path not in ONE_THING}


def test_there_are_lists_to_look_at() -> None:
    assert len(LISTS) > 15
    assert set(ONE_THING) <= set(VIEWS)


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_a_listing(path: str) -> None:
    assert issubclass(LISTS[path], Listing), f"{path} answers with a list that has no pages"


@pytest.mark.parametrize("path", [path for path, view in LISTS.items() if issubclass(view, Listing)])
def test_the_order_of_a_list_is_unique(path: str) -> None:
    view = LISTS[path]
    assert issubclass(view, Listing)
    first, *more = view.ordering
    assert not more, f"{path}: a cursor stands at one field"
    assert first.lstrip("-") in ("id", "seq", "slug", "login", "key")
