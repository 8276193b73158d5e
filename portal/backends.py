"""How Django looks up who signed in: a person with what every page has to know of them, in one query."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db.models import BooleanField, ExpressionWrapper

from portal import factors
from portal.models import Person


class PersonBackend(ModelBackend):
    """Password and session; a disabled person is nobody."""

    def get_user(self, user_id: Any) -> Person | None:
        """The active person of a session, who knows whether they lack a second factor."""
        lacks = ExpressionWrapper(factors.lacking(), output_field=BooleanField())
        people = Person.objects.annotate(lacks_factor=lacks)  # type: ignore[no-redef]
        return people.filter(pk=user_id, is_active=True).first()
