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
    path("account/away/", roster.away, name="away"),
    path("account/away/<int:number>/end/", roster.end_delegation, name="away-end"),
    path("people/", roster.everybody, name="people"),
    path("people/add/", roster.add_person, name="person-add"),
    path("people/<uuid:pk>/", roster.person, name="person"),
    path("people/<uuid:pk>/tokens/<int:number>/revoke/", roster.revoke_token, name="person-token-revoke"),
    path("people/<uuid:pk>/change/", roster.change_person, name="person-change"),
    path("people/<uuid:pk>/leave/", roster.leave, name="person-leave"),
    path("people/<uuid:pk>/enable/", roster.enable, name="person-enable"),
    path("people/<uuid:pk>/away/", roster.away, name="person-away"),
    path("people/<uuid:pk>/away/<int:number>/end/", roster.end_delegation, name="person-away-end"),
    path("rights/", views.estate_rights, name="estate-rights"),
    path("rights/<int:pk>/revoke/", views.revoke_grant, name="estate-right-revoke"),
    path("projects/<str:key>/owners/", roster.project_owners, name="owners"),
    path("projects/<str:key>/owners/dss/", roster.owners_from_dss, name="owners-dss"),
    path("projects/<str:key>/owners/<uuid:pk>/", roster.hand_over, name="hand-over"),
    path("projects/<str:key>/rights/", views.project_rights, name="rights"),
    path("projects/<str:key>/rights/<int:pk>/revoke/", views.revoke_grant, name="right-revoke"),
    path("ledger/", views.ledger_page, name="ledger"),
    path("ledger/<int:seq>/", views.ledger_entry, name="ledger-entry"),
]
