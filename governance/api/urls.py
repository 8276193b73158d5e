"""Addresses of governance's part of the API."""

from django.urls import path

from governance.api.access_reviews import (
    AccessReviews,
    AnswersInReview,
    CallOffReview,
    GrantsUnderReview,
    OneReview,
    PlacesUnderReview,
    ReportOnReview,
    ReviewStatement,
)
from governance.api.collections import CollectionsOfBundle
from governance.api.combinations import (
    Combinations,
    CombinationsOfProject,
    ReportOnCombinations,
    ReportOnProjectCombinations,
)
from governance.api.documents import (
    DocumentContent,
    DocumentsOfBundle,
    UploadsOfBundle,
    VersionsCompared,
    VersionsOfDocument,
)
from governance.api.evidence import EvidenceOfBundle, OneEvidence
from governance.api.external_checks import ExternalCheck
from governance.api.materiality import MaterialityAnswers, MaterialityOfProject
from governance.api.model_cards import ModelCardOfBundle
from governance.api.policies import OnePolicy, Policies, PreviewPolicy
from governance.api.reports import OneReport, ReportPdf, Reports
from governance.api.signoffs import FulfilCondition, OneSignOff, SignOffsOfBundle, WithdrawSignOff
from governance.api.test_reports import ReportsOfBundle
from governance.api.tiers import TierOfProject
from governance.api.waivers import OneWaiver, WithdrawWaiver

BUNDLE = "projects/<str:key>/bundles/<str:bundle_id>"

urlpatterns = [
    path("policies/", Policies.as_view()),
    path("policies/preview/", PreviewPolicy.as_view()),
    path("policies/<str:name>/<int:version>/", OnePolicy.as_view()),
    path("projects/<str:key>/tier/", TierOfProject.as_view()),
    path("projects/<str:key>/materiality/", MaterialityOfProject.as_view()),
    path("projects/<str:key>/materiality/answers/", MaterialityAnswers.as_view()),
    path(f"{BUNDLE}/evidence/", EvidenceOfBundle.as_view()),
    path(f"{BUNDLE}/documents/", DocumentsOfBundle.as_view()),
    path(f"{BUNDLE}/documents/upload/", UploadsOfBundle.as_view()),
    path("projects/<str:key>/documents/<str:kind>/", VersionsOfDocument.as_view()),
    path("projects/<str:key>/documents/<str:kind>/diff/", VersionsCompared.as_view()),
    path(f"{BUNDLE}/tests/", ReportsOfBundle.as_view()),
    path(f"{BUNDLE}/model-card/", ModelCardOfBundle.as_view()),
    path(f"{BUNDLE}/signoffs/", SignOffsOfBundle.as_view()),
    path(f"{BUNDLE}/collections/", CollectionsOfBundle.as_view()),
    path("evidence/<int:number>/", OneEvidence.as_view()),
    path("external-checks/<str:name>/", ExternalCheck.as_view()),
    path("documents/<int:number>/content/", DocumentContent.as_view()),
    path("signoffs/<int:number>/", OneSignOff.as_view()),
    path("signoffs/<int:number>/conditions/<int:condition>/met/", FulfilCondition.as_view()),
    path("signoffs/<int:number>/withdraw/", WithdrawSignOff.as_view()),
    path("waivers/<int:number>/", OneWaiver.as_view()),
    path("waivers/<int:number>/withdraw/", WithdrawWaiver.as_view()),
    path("reports/", Reports.as_view()),
    path("reports/<int:number>/", OneReport.as_view()),
    path("reports/<int:number>/pdf/", ReportPdf.as_view()),
    path("access-reviews/", AccessReviews.as_view()),
    path("access-reviews/<int:number>/", OneReview.as_view()),
    path("access-reviews/<int:number>/places/", PlacesUnderReview.as_view()),
    path("access-reviews/<int:number>/grants/", GrantsUnderReview.as_view()),
    path("access-reviews/<int:number>/signatures/", AnswersInReview.as_view()),
    path("access-reviews/<int:number>/signatures/<int:signature>/statement/", ReviewStatement.as_view()),
    path("access-reviews/<int:number>/call-off/", CallOffReview.as_view()),
    path("access-reviews/<int:number>/reports/", ReportOnReview.as_view()),
    path("combinations/", Combinations.as_view()),
    path("combinations/reports/", ReportOnCombinations.as_view()),
    path("projects/<str:key>/combinations/", CombinationsOfProject.as_view()),
    path("projects/<str:key>/combinations/reports/", ReportOnProjectCombinations.as_view()),
]
