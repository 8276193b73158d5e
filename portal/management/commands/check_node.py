"""manage.py check_node: tries the connection to a DSS node and says what its key may do. Changes nothing."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError

from portal.actions.estate import check_url
from portal.dss.connect import connect
from portal.dss.values import Connection
from portal.errors import Refused
from portal.models import Node


class Command(BaseCommand):
    """A dry run against a node, known to the portal or not yet."""

    help = (
        "Try the connection to a DSS node: by its name in the portal, "
        "or with --url, --kind and --key-name before adding it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("node", nargs="?", help="the node's name in the portal")
        parser.add_argument("--url")
        parser.add_argument("--kind", choices=Node.Kind.values, default=Node.Kind.DESIGN)
        parser.add_argument("--key-name", help="the name of the key, never the key")
        parser.add_argument("--no-verify-tls", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            node = _node(options)
            with connect(node) as dss:
                found = dss.check_connection()
        except Refused as refusal:
            raise CommandError(refusal.sentence) from refusal
        for label, value in _lines(found):
            self.stdout.write(f"{label + ':':<16}{value}")
        problems = [*found.problems, *_misfits(node, found)]
        if problems:
            raise CommandError(" ".join(problems))


def _misfits(node: Node, found: Connection) -> Iterator[str]:
    """What speaks against using this node as what it is to be."""
    if found.instance is None:
        return
    kind = found.instance.kind
    if node.kind == Node.Kind.DEPLOYER:
        # A design node may hold the Deployer as well.
        if not found.deployer:
            yield "No Deployer answers there. Name the node that holds the Deployer, or use a key that may read it."
    elif kind != node.kind:
        yield (
            f"What answers there says it is a node of kind {kind}, not {node.kind}."
            f" Give the address of the {node.get_kind_display()}, or --kind {kind}."
        )


def _lines(found: Connection) -> Iterator[tuple[str, str]]:
    yield "reachable", "yes" if found.reachable else "no"
    if found.authenticated is not None:
        yield "key accepted", "yes" if found.authenticated else "no"
    if found.instance is not None:
        yield (
            "node",
            f"{found.instance.kind} {found.instance.name} ({found.instance.node_id}), DSS {found.instance.version}",
        )
    if found.who is not None:
        yield "acts as", f"{found.who.identifier} (groups: {', '.join(found.who.groups) or 'none'})"
    if found.projects is not None:
        yield "projects", f"{found.projects} visible"
    if found.clock_skew_s is not None:
        yield "clock", f"{found.clock_skew_s:+.0f} s from ours"
    if found.deployer is not None:
        yield "Deployer", "answers here" if found.deployer else "does not answer here"
    for infra in found.infras:
        may = {True: "may deploy", False: "may NOT deploy", None: "unknown whether it may deploy"}[
            infra.can_deploy
        ]
        yield f"  {infra.id}", f"stage {infra.stage}, {may}, Govern policy {infra.govern_policy}"


def _node(options: dict[str, Any]) -> Node:
    if options["url"]:
        if not options["key_name"]:
            raise CommandError("Give --key-name: the name under which the key is configured.")
        check_url(options["url"])
        return Node(
            slug=options["node"] or urlsplit(options["url"]).netloc,
            name=options["url"],
            kind=options["kind"],
            url=options["url"],
            key_name=options["key_name"],
            verify_tls=not options["no_verify_tls"],
        )
    node = Node.objects.filter(slug=options["node"] or "").first()
    if node is None:
        known = ", ".join(Node.objects.values_list("slug", flat=True)) or "none yet"
        asked = f"The portal knows no node “{options['node']}”" if options["node"] else "Say which node"
        raise CommandError(f"{asked} (known: {known}). Name one, or give --url with --key-name.")
    return node
