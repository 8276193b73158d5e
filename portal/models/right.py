"""The vocabulary of rights. What they let somebody do is said where they are asked for."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Right(models.TextChoices):
    """What can be granted, as a person reads it."""

    VIEW = "view", _("see the project")
    REQUEST = "request", _("ask for a promotion")
    PROMOTE = "promote", _("start a promotion")
    ROLL_BACK = "roll_back", _("roll back")
    SIGN = "sign", _("sign")
    WAIVE = "waive", _("waive a requirement")
    MANAGE = "manage", _("manage rights and settings")
    AUDIT = "audit", _("read the ledger and make reports")
    BREAK_GLASS = "break_glass", _("promote in an emergency")
    OVERRIDE_FREEZE = "override_freeze", _("promote during a freeze")
    PROVISION = "provision", _("bring people and groups from a directory")
