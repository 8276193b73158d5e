"""Addresses of the portal's part of the API."""

from django.urls import path

from portal.api.bundles import Bundles, ManifestOfBundle, OneBundle
from portal.api.changes import ApplyChange, Changes, OneChange, PreviewChange, RefuseChange, WithdrawChange
from portal.api.delegations import Delegations, EndDelegation
from portal.api.estate import EstateFile
from portal.api.events import Events
from portal.api.factors import Factors, RemoveFactor, RemoveFactorsOfPerson, TeamSecondFactor
from portal.api.files import RightsFile
from portal.api.grants import Grants, RevokeGrant
from portal.api.identities import EndMapping, IdentitiesOfPerson, Mappings, UnlinkIdentity
from portal.api.me import Me
from portal.api.nodes import Nodes, OneNode, RemoveNode
from portal.api.notifications import Notifications
from portal.api.owners import HandOver, OneOwner, Owners, OwnersInDss
from portal.api.people import DutiesOfPerson, Leave, OnePerson, People
from portal.api.pipelines import OnePipeline, Pipelines, RemovePipeline
from portal.api.portfolios import OnePortfolio, PortfolioProjects, Portfolios, TakeOut
from portal.api.rights import EstateRights, PortfolioRights, ProjectRights, RightsOf, TeamRights
from portal.api.sessions import (
    DisablePerson,
    EnablePerson,
    EndOtherSessions,
    EndSession,
    EndSessionsOfPerson,
    Password,
    ResetPassword,
    Sessions,
    SessionsOfPerson,
)
from portal.api.teams import TeamMember, TeamMembers, Teams
from portal.api.tokens import RevokeToken, Tokens, TokensOfPerson
from portal.api.viewer import SchemaView, SchemaViewer

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", SchemaViewer.as_view(), name="api-docs"),
    path("me/", Me.as_view()),
    path("me/password/", Password.as_view()),
    path("notifications/", Notifications.as_view()),
    path("factors/", Factors.as_view()),
    path("factors/<int:number>/remove/", RemoveFactor.as_view()),
    path("sessions/", Sessions.as_view()),
    path("sessions/<int:number>/end/", EndSession.as_view()),
    path("sessions/end-others/", EndOtherSessions.as_view()),
    path("people/", People.as_view()),
    path("people/<str:login>/", OnePerson.as_view()),
    path("people/<str:login>/duties/", DutiesOfPerson.as_view()),
    path("people/<str:login>/leave/", Leave.as_view()),
    path("people/<str:login>/sessions/", SessionsOfPerson.as_view()),
    path("people/<str:login>/sessions/end/", EndSessionsOfPerson.as_view()),
    path("people/<str:login>/reset-password/", ResetPassword.as_view()),
    path("people/<str:login>/remove-factors/", RemoveFactorsOfPerson.as_view()),
    path("people/<str:login>/disable/", DisablePerson.as_view()),
    path("people/<str:login>/enable/", EnablePerson.as_view()),
    path("people/<str:login>/tokens/", TokensOfPerson.as_view()),
    path("people/<str:login>/identities/", IdentitiesOfPerson.as_view()),
    path("people/<str:login>/identities/<int:number>/unlink/", UnlinkIdentity.as_view()),
    path("mappings/", Mappings.as_view()),
    path("mappings/<int:number>/end/", EndMapping.as_view()),
    path("teams/", Teams.as_view()),
    path("teams/<str:slug>/members/", TeamMembers.as_view()),
    path("teams/<str:slug>/members/<str:login>/", TeamMember.as_view()),
    path("teams/<str:slug>/second-factor/", TeamSecondFactor.as_view()),
    path("tokens/", Tokens.as_view()),
    path("tokens/<int:number>/revoke/", RevokeToken.as_view()),
    path("delegations/", Delegations.as_view()),
    path("delegations/<int:number>/end/", EndDelegation.as_view()),
    path("grants/", Grants.as_view()),
    path("grants/<int:number>/revoke/", RevokeGrant.as_view()),
    path("rights/", EstateRights.as_view()),
    path("rights/file/", RightsFile.as_view()),
    path("projects/<str:key>/rights/", ProjectRights.as_view()),
    path("projects/<str:key>/rights/of/<str:login>/", RightsOf.as_view()),
    path("portfolios/<str:slug>/rights/", PortfolioRights.as_view()),
    path("teams/<str:slug>/rights/", TeamRights.as_view()),
    path("portfolios/", Portfolios.as_view()),
    path("portfolios/<str:slug>/", OnePortfolio.as_view()),
    path("portfolios/<str:slug>/projects/", PortfolioProjects.as_view()),
    path("portfolios/<str:slug>/projects/<str:key>/take-out/", TakeOut.as_view()),
    path("changes/", Changes.as_view()),
    path("changes/preview/", PreviewChange.as_view()),
    path("changes/<int:number>/", OneChange.as_view()),
    path("changes/<int:number>/apply/", ApplyChange.as_view()),
    path("changes/<int:number>/refuse/", RefuseChange.as_view()),
    path("changes/<int:number>/withdraw/", WithdrawChange.as_view()),
    path("estate/file/", EstateFile.as_view()),
    path("nodes/", Nodes.as_view()),
    path("nodes/<str:slug>/", OneNode.as_view()),
    path("nodes/<str:slug>/remove/", RemoveNode.as_view()),
    path("pipelines/", Pipelines.as_view()),
    path("pipelines/<str:slug>/", OnePipeline.as_view()),
    path("pipelines/<str:slug>/remove/", RemovePipeline.as_view()),
    path("events/", Events.as_view()),
    path("projects/<str:key>/owners/", Owners.as_view()),
    path("projects/<str:key>/owners/dss/", OwnersInDss.as_view()),
    path("projects/<str:key>/owners/<str:login>/", OneOwner.as_view()),
    path("projects/<str:key>/owners/<str:login>/hand-over/", HandOver.as_view()),
    path("projects/<str:key>/bundles/", Bundles.as_view()),
    path("projects/<str:key>/bundles/<str:bundle_id>/", OneBundle.as_view()),
    path("projects/<str:key>/bundles/<str:bundle_id>/manifest/", ManifestOfBundle.as_view()),
]
