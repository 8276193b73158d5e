"""The portal's own pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from portal import roster, views

urlpatterns = [
    path("login/", views.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("health/", views.health, name="health"),
    path("account/", views.account, name="account"),
    path("account/tokens/<int:pk>/revoke/", views.revoke_token, name="token-revoke"),
    path("people/", roster.everybody, name="people"),
    path("people/add/", roster.add_person, name="person-add"),
    path("people/<uuid:pk>/", roster.person, name="person"),
    path("people/<uuid:pk>/tokens/<int:number>/revoke/", roster.revoke_token, name="person-token-revoke"),
    path("rights/", views.estate_rights, name="estate-rights"),
    path("rights/<int:pk>/revoke/", views.revoke_grant, name="estate-right-revoke"),
    path("projects/<str:key>/rights/", views.project_rights, name="rights"),
    path("projects/<str:key>/rights/<int:pk>/revoke/", views.revoke_grant, name="right-revoke"),
    path("ledger/", views.ledger_page, name="ledger"),
    path("ledger/<int:seq>/", views.ledger_entry, name="ledger-entry"),
]
