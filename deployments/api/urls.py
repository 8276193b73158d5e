"""Addresses of the part of the API that acts; the last two answer for addresses that lead nowhere."""

from django.urls import path

from deployments.api.conversation import Asks, Comments, Escalate, Remind
from deployments.api.deployments import Deployments
from deployments.api.diffs import DiffOfBundle
from deployments.api.inbox import Inbox
from deployments.api.projects import OneProject, Projects
from deployments.api.promotions import OnePromotion, Promotions, ReleasePromotion, StopPromotion
from deployments.api.requests import (
    GateOfRequest,
    OneRequest,
    PromoteRequest,
    ReportsOfRequest,
    Requests,
    TicketRequest,
    WithdrawRequest,
)
from deployments.api.signing import Signing, SignOffsOfRequest
from deployments.api.waivers import GrantWaiver, RefuseWaiver, WaiversOfRequest, WaivingOfRequest
from portal.api.nowhere import Nowhere

urlpatterns = [
    path("inbox/", Inbox.as_view()),
    path("projects/", Projects.as_view()),
    path("projects/<str:key>/", OneProject.as_view()),
    path("projects/<str:key>/bundles/<str:bundle_id>/diff/", DiffOfBundle.as_view()),
    path("deployments/", Deployments.as_view()),
    path("requests/", Requests.as_view()),
    path("requests/<int:number>/", OneRequest.as_view()),
    path("requests/<int:number>/gate/", GateOfRequest.as_view()),
    path("requests/<int:number>/ticket/", TicketRequest.as_view()),
    path("requests/<int:number>/withdraw/", WithdrawRequest.as_view()),
    path("requests/<int:number>/promote/", PromoteRequest.as_view()),
    path("requests/<int:number>/signing/", Signing.as_view()),
    path("requests/<int:number>/signoffs/", SignOffsOfRequest.as_view()),
    path("requests/<int:number>/comments/", Comments.as_view()),
    path("requests/<int:number>/asks/", Asks.as_view()),
    path("requests/<int:number>/remind/", Remind.as_view()),
    path("requests/<int:number>/escalate/", Escalate.as_view()),
    path("requests/<int:number>/waivers/", WaiversOfRequest.as_view()),
    path("requests/<int:number>/waivers/<int:waiver>/", WaivingOfRequest.as_view()),
    path("requests/<int:number>/waivers/<int:waiver>/grant/", GrantWaiver.as_view()),
    path("requests/<int:number>/waivers/<int:waiver>/refuse/", RefuseWaiver.as_view()),
    path("requests/<int:number>/reports/", ReportsOfRequest.as_view()),
    path("promotions/", Promotions.as_view()),
    path("promotions/<int:number>/", OnePromotion.as_view()),
    path("promotions/<int:number>/stop/", StopPromotion.as_view()),
    path("promotions/<int:number>/release/", ReleasePromotion.as_view()),
    path("", Nowhere.as_view()),
    path("<path:address>", Nowhere.as_view()),
]
