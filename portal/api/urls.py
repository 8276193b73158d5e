"""Addresses of the portal's part of the API."""

from django.urls import path

from portal.api.bundles import Bundles, ManifestOfBundle, OneBundle
from portal.api.delegations import Delegations, EndDelegation
from portal.api.events import Events
from portal.api.grants import Grants, RevokeGrant
from portal.api.me import Me
from portal.api.nodes import Nodes
from portal.api.owners import HandOver, OneOwner, Owners, OwnersInDss
from portal.api.people import DutiesOfPerson, Enable, Leave, OnePerson, People
from portal.api.pipelines import Pipelines
from portal.api.teams import TeamMember, TeamMembers, Teams
from portal.api.tokens import RevokeToken, Tokens, TokensOfPerson
from portal.api.viewer import SchemaView, SchemaViewer

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", SchemaViewer.as_view(), name="api-docs"),
    path("me/", Me.as_view()),
    path("people/", People.as_view()),
    path("people/<str:login>/", OnePerson.as_view()),
    path("people/<str:login>/duties/", DutiesOfPerson.as_view()),
    path("people/<str:login>/leave/", Leave.as_view()),
    path("people/<str:login>/enable/", Enable.as_view()),
    path("people/<str:login>/tokens/", TokensOfPerson.as_view()),
    path("teams/", Teams.as_view()),
    path("teams/<str:slug>/members/", TeamMembers.as_view()),
    path("teams/<str:slug>/members/<str:login>/", TeamMember.as_view()),
    path("tokens/", Tokens.as_view()),
    path("tokens/<int:number>/revoke/", RevokeToken.as_view()),
    path("delegations/", Delegations.as_view()),
    path("delegations/<int:number>/end/", EndDelegation.as_view()),
    path("grants/", Grants.as_view()),
    path("grants/<int:number>/revoke/", RevokeGrant.as_view()),
    path("nodes/", Nodes.as_view()),
    path("pipelines/", Pipelines.as_view()),
    path("events/", Events.as_view()),
    path("projects/<str:key>/owners/", Owners.as_view()),
    path("projects/<str:key>/owners/dss/", OwnersInDss.as_view()),
    path("projects/<str:key>/owners/<str:login>/", OneOwner.as_view()),
    path("projects/<str:key>/owners/<str:login>/hand-over/", HandOver.as_view()),
    path("projects/<str:key>/bundles/", Bundles.as_view()),
    path("projects/<str:key>/bundles/<str:bundle_id>/", OneBundle.as_view()),
    path("projects/<str:key>/bundles/<str:bundle_id>/manifest/", ManifestOfBundle.as_view()),
]
