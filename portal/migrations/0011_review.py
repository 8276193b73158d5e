from django.db import migrations, models


class Migration(migrations.Migration):
    """A grant knows which access review asks about it, and the end it had before."""

    dependencies = [
        ('portal', '0010_cooling_off'),
    ]

    operations = [
        migrations.AddField(
            model_name='grant',
            name='under_review',
            field=models.PositiveBigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='grant',
            name='until_given',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name='grant',
            index=models.Index(condition=models.Q(('under_review__isnull', False)), fields=['under_review'], name='grant_under_review'),
        ),
        migrations.AddConstraint(
            model_name='grant',
            constraint=models.CheckConstraint(condition=models.Q(('under_review__isnull', False), ('until_given__isnull', True), _connector='OR'), name='grant_end_kept_for_a_review'),
        ),
    ]
