from datetime import timedelta

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

# What a token may carry besides seeing, as it was when tokens got a scope: those that had none keep all of it.
CARRIED = ["audit", "manage", "promote", "request"]
LASTS = timedelta(days=366)


def narrow(apps, schema_editor):
    """Every token has a maker and an end from now on; what had none ends a year after it was made."""
    tokens = apps.get_model("portal", "Token").objects
    tokens.update(rights=CARRIED, made_by=F("person"))
    tokens.filter(revoked_at__isnull=False).update(revoked_by=F("person"))
    for token in tokens.filter(expires_at__isnull=True).iterator():
        token.expires_at = token.made_at + LASTS
        token.save(update_fields=["expires_at"])
    if schema_editor.connection.vendor == "postgresql":
        # The columns are tightened in this very transaction, which waits for no deferred check of what was filled in.
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0006_identity'),
    ]

    operations = [
        migrations.AddField('token', 'rights', models.JSONField(blank=True, default=list, help_text='what it may do besides seeing')),
        migrations.AddField('token', 'every_project', models.BooleanField(default=True)),
        migrations.AddField('token', 'projects', models.ManyToManyField(blank=True, related_name='+', to='portal.project')),
        migrations.AddField('token', 'made_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        migrations.AddField('token', 'revoked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        migrations.RunPython(narrow, migrations.RunPython.noop, elidable=True),
        migrations.AlterField('token', 'made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        migrations.AlterField('token', 'expires_at', models.DateTimeField()),
        migrations.AddConstraint('token', models.CheckConstraint(condition=Q(expires_at__gt=F('made_at')), name='token_ends')),
        migrations.AddConstraint('token', models.CheckConstraint(condition=Q(revoked_at__isnull=True, revoked_by__isnull=True) | Q(revoked_at__isnull=False, revoked_by__isnull=False), name='token_revoked_paired')),
        migrations.CreateModel(
            name='Counterpart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('user', 'user'), ('group', 'group')], max_length=5)),
                ('name', models.CharField(help_text='login or group name in DSS', max_length=200)),
                ('set_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('node', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='counterparts', to='portal.node')),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.team')),
                ('set_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'counterpart',
                'verbose_name_plural': 'counterparts',
                'ordering': ('node', 'kind', 'name'),
            },
        ),
        migrations.AddConstraint('counterpart', models.UniqueConstraint(fields=('node', 'kind', 'name'), name='counterpart_once')),
        migrations.AddConstraint('counterpart', models.CheckConstraint(condition=Q(kind='user', person__isnull=False, team__isnull=True) | Q(kind='group', person__isnull=True, team__isnull=False), name='counterpart_of_its_kind')),
    ]
