"""How Django looks up who signed in: a person with what every page has to know of them, in one query."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db import connection

from portal.models import Person

# By hand: every request asks it, and the ORM takes longer to put it together than the database to answer.
_WHO = """
SELECT who.*,
       EXISTS (SELECT 1 FROM portal_team team JOIN portal_person_groups member ON member.group_id = team.group_id
                WHERE member.person_id = who.id AND team.requires_second_factor)
       AND NOT EXISTS (SELECT 1 FROM portal_factor factor WHERE factor.person_id = who.id) AS lacks_factor
  FROM portal_person who
 WHERE who.id = %s AND who.is_active"""


class PersonBackend(ModelBackend):
    """Password and session; a disabled person is nobody."""

    def get_user(self, user_id: Any) -> Person | None:
        """The active person of a session, who knows whether they lack a second factor a team of theirs requires."""
        key = Person._meta.pk.get_db_prep_value(user_id, connection)
        return next(iter(Person.objects.raw(_WHO, [key])), None)
