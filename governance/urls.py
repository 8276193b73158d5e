"""Pages of governance."""

from django.urls import path

from governance import views

urlpatterns = [
    path("projects/<str:key>/tier/", views.tier, name="tier"),
    path("signoffs/<int:pk>/", views.signoff, name="signoff"),
    path("signoffs/<int:pk>/statement/", views.statement, name="signoff-statement"),
    path("documents/<int:pk>/", views.document, name="document"),
    path("evidence/<int:pk>/junit/", views.junit_report, name="junit-report"),
    path("reports/<int:pk>/", views.report, name="report"),
    path("reports/<int:pk>/pdf/", views.report_pdf, name="report-pdf"),
]
