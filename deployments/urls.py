"""Pages of deployments."""

from django.urls import path

from deployments.views import (
    bundles,
    conversation,
    inbox,
    projects,
    promotions,
    reminding,
    requests,
    signing,
    waiving,
)

project = "projects/<str:key>/"
bundle = project + "bundles/<str:bundle_id>/"
request = project + "requests/<int:number>/"
promotion = project + "promotions/<int:number>/"

urlpatterns = [
    path("", inbox.page, name="home"),
    path("inbox/", inbox.page, name="inbox"),
    path("inbox/count/", inbox.count, name="inbox-count"),
    path("projects/", projects.table, name="projects"),
    path(project, projects.page, name="project"),
    path(project + "bundles/", projects.register_bundle, name="bundle-register"),
    path(project + "requests/", projects.ask, name="request-ask"),
    path(bundle, bundles.page, name="bundle"),
    path(bundle + "documents/", bundles.write_document, name="document-write"),
    path(bundle + "documents/upload/", bundles.upload_document, name="document-upload"),
    path(bundle + "tests/", bundles.send_report, name="report-send"),
    path(bundle + "collect/", bundles.collect, name="bundle-collect"),
    path(bundle + "evidence/", bundles.import_evidence, name="evidence-import"),
    path(request, requests.page, name="request"),
    path(request + "gate/", requests.live, name="request-live"),
    path(request + "promote/", requests.promote, name="request-promote"),
    path(request + "ticket/", requests.ticket, name="request-ticket"),
    path(request + "withdraw/", requests.withdraw, name="request-withdraw"),
    path(request + "report/", requests.report, name="request-report"),
    path(request + "conversation/", conversation.page, name="request-conversation"),
    path(request + "remind/<path:requirement>/", reminding.remind, name="request-remind"),
    path(request + "escalate/<path:requirement>/", reminding.escalate, name="request-escalate"),
    path(request + "sign/<path:requirement>/", signing.page, name="sign"),
    path(request + "waive/<path:requirement>/", waiving.ask, name="waiver-ask"),
    path(request + "waivers/<int:pk>/", waiving.answer, name="waiver-answer"),
    path(promotion + "stop/", promotions.stop, name="promotion-stop"),
    path(promotion + "release/", promotions.release, name="promotion-release"),
]
