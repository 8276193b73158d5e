"""Pages of governance."""

from django.urls import path

from governance import (
    card_pages,
    combination_pages,
    document_pages,
    materiality_pages,
    policy_pages,
    review_pages,
    views,
    waiver_pages,
)

urlpatterns = [
    path("projects/<str:key>/tier/", views.tier, name="tier"),
    path("projects/<str:key>/materiality/", materiality_pages.page, name="materiality"),
    path("signoffs/<int:pk>/", views.signoff, name="signoff"),
    path("signoffs/<int:pk>/conditions/<int:number>/met/", views.fulfil, name="condition-met"),
    path("signoffs/<int:pk>/statement/", views.statement, name="signoff-statement"),
    path("waivers/<int:pk>/", waiver_pages.one, name="waiver"),
    path("waivers/<int:pk>/statement/", waiver_pages.statement, name="waiver-statement"),
    path("documents/<int:pk>/", document_pages.one, name="document"),
    path("projects/<str:key>/documents/<str:kind>/", document_pages.of_kind, name="document-versions"),
    path("projects/<str:key>/bundles/<str:bundle_id>/model-card/", card_pages.card, name="model-card"),
    path("evidence/<int:pk>/junit/", views.junit_report, name="junit-report"),
    path("reports/<int:pk>/", views.report, name="report"),
    path("reports/<int:pk>/pdf/", views.report_pdf, name="report-pdf"),
    path("policies/", policy_pages.listed, name="policies"),
    path("policy-drafts/", policy_pages.draft, name="policy-draft"),
    path("policy-drafts/<str:draft>/", policy_pages.previewed, name="policy-preview"),
    path("policies/<str:name>/", policy_pages.versions, name="policy-versions"),
    path("policies/<str:name>/<int:number>/", policy_pages.version, name="policy"),
    path("changes/<int:pk>/policy/", policy_pages.replayed, name="policy-replay"),
    path("combinations/", combination_pages.of_estate, name="estate-combinations"),
    path("combinations/report/", combination_pages.report_of_estate, name="estate-combinations-report"),
    path("projects/<str:key>/combinations/", combination_pages.of_project, name="combinations"),
    path(
        "projects/<str:key>/combinations/report/",
        combination_pages.report_of_project,
        name="combinations-report",
    ),
    path("access-reviews/", review_pages.listed, name="access-reviews"),
    path("access-reviews/start/", review_pages.start, name="access-review-start"),
    path("access-reviews/<int:number>/", review_pages.one, name="access-review"),
    path("access-reviews/<int:number>/places/<int:at>/", review_pages.place, name="access-review-place"),
    path("access-reviews/<int:number>/call-off/", review_pages.call_off, name="access-review-call-off"),
    path("access-reviews/<int:number>/report/", review_pages.report, name="access-review-report"),
    path(
        "access-reviews/<int:number>/signatures/<int:pk>/",
        review_pages.statement,
        name="access-review-statement",
    ),
]
