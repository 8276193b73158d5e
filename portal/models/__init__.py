"""The nouns that everything else is about."""

from portal.models.bundle import Bundle
from portal.models.change import Change
from portal.models.content import Content
from portal.models.counterpart import Counterpart
from portal.models.delegation import Delegation
from portal.models.estate import Node, Pipeline, Place, Stage
from portal.models.event import Checkpoint, Disclosure, Event, LedgerHead
from portal.models.grant import Grant, LaneGroupObjectPermission, LaneUserObjectPermission, Right
from portal.models.person import Person, Team, Token
from portal.models.project import Lane, Portfolio, Project

__all__ = [
    "Bundle",
    "Change",
    "Checkpoint",
    "Content",
    "Counterpart",
    "Delegation",
    "Disclosure",
    "Event",
    "Grant",
    "Lane",
    "LaneGroupObjectPermission",
    "LaneUserObjectPermission",
    "LedgerHead",
    "Node",
    "Person",
    "Pipeline",
    "Place",
    "Portfolio",
    "Project",
    "Right",
    "Stage",
    "Team",
    "Token",
]
