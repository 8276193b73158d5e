"""The nouns that everything else is about."""

from portal.models.bundle import Bundle
from portal.models.change import Change
from portal.models.content import Content
from portal.models.counterpart import Counterpart
from portal.models.delegation import Delegation
from portal.models.estate import Node, Pipeline, Place, Stage
from portal.models.event import Checkpoint, Disclosure, Event, LedgerHead
from portal.models.factor import Factor, RecoveryCode
from portal.models.grant import Grant, LaneGroupObjectPermission, LaneUserObjectPermission
from portal.models.identity import DirectoryGroup, GroupMapping, Identity, Membership
from portal.models.notification import Notification
from portal.models.person import Person, Team, Token
from portal.models.project import Lane, Portfolio, Project
from portal.models.right import Right
from portal.models.session import PasswordReset, Session, Tries

__all__ = [
    "Bundle",
    "Change",
    "Checkpoint",
    "Content",
    "Counterpart",
    "Delegation",
    "DirectoryGroup",
    "Disclosure",
    "Event",
    "Factor",
    "Grant",
    "GroupMapping",
    "Identity",
    "Lane",
    "LaneGroupObjectPermission",
    "LaneUserObjectPermission",
    "LedgerHead",
    "Membership",
    "Node",
    "Notification",
    "PasswordReset",
    "Person",
    "Pipeline",
    "Place",
    "Portfolio",
    "Project",
    "RecoveryCode",
    "Right",
    "Session",
    "Stage",
    "Team",
    "Token",
    "Tries",
]
