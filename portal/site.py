"""The portal's own pages."""

from django.urls import path

from portal import doors, second_step, views

urlpatterns = [
    path("login/", doors.SignIn.as_view(), name="login"),
    path("logout/", doors.without_factor(doors.SignOut.as_view()), name="logout"),
    path("login/second-factor/", second_step.second_factor, name="second-factor"),
    path("set-password/", doors.set_password, name="set-password"),
    path("health/", views.health, name="health"),
    path("account/", views.account, name="account"),
    path("account/tokens/<int:pk>/revoke/", views.revoke_token, name="token-revoke"),
    path("account/password/", doors.change_password, name="password"),
    path("account/prove/", second_step.prove, name="prove"),
    path("account/factors/", second_step.factors_page, name="factors"),
    path("account/factors/app/", second_step.add_app, name="factor-app"),
    path("account/factors/passkey/", second_step.add_passkey, name="factor-passkey"),
    path("account/factors/codes/", second_step.new_codes, name="factor-codes"),
    path("account/factors/<int:pk>/remove/", second_step.remove_factor, name="factor-remove"),
    path("account/sessions/<int:pk>/end/", doors.end_session, name="session-end"),
    path("account/sessions/end-others/", doors.end_other_sessions, name="sessions-end-others"),
    path("accounts/", doors.accounts_page, name="accounts"),
    path("accounts/<str:login>/", doors.account_of, name="account-of"),
    path("accounts/<str:login>/reset-password/", doors.reset_password, name="account-reset"),
    path("accounts/<str:login>/end-sessions/", doors.end_sessions_of, name="account-end-sessions"),
    path("accounts/<str:login>/remove-factors/", second_step.remove_factors_of, name="account-factors"),
    path("accounts/<str:login>/disable/", doors.disable_account, name="account-disable"),
    path("identity/teams/", second_step.team_rules, name="team-rules"),
    path("identity/teams/<slug:slug>/second-factor/", second_step.require_factor, name="team-factor"),
    path("rights/", views.estate_rights, name="estate-rights"),
    path("rights/<int:pk>/revoke/", views.revoke_grant, name="estate-right-revoke"),
    path("projects/<str:key>/rights/", views.project_rights, name="rights"),
    path("projects/<str:key>/rights/<int:pk>/revoke/", views.revoke_grant, name="right-revoke"),
    path("ledger/", views.ledger_page, name="ledger"),
    path("ledger/<int:seq>/", views.ledger_entry, name="ledger-entry"),
]
