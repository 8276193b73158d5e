"""Which waivers counted for a request when it was last looked at."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deployments', '0005_ticket'),
        ('governance', '0013_waivers'),
    ]

    operations = [
        migrations.CreateModel(
            name='CountedWaiver',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('lapsed_at', models.DateTimeField(blank=True, null=True)),
                ('why', models.CharField(blank=True, max_length=40)),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='counted_waivers', to='deployments.deploymentrequest')),
                ('waiver', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='counted', to='governance.waiver')),
            ],
            options={
                'verbose_name': 'counted waiver',
                'verbose_name_plural': 'counted waivers',
                'ordering': ('id',),
                'constraints': [models.UniqueConstraint(fields=('request', 'waiver'), name='waiver_counted_once'), models.CheckConstraint(condition=models.Q(models.Q(('lapsed_at__isnull', True), ('why', '')), models.Q(('lapsed_at__isnull', False), models.Q(('why', ''), _negated=True)), _connector='OR'), name='waiver_lapsed_why'), models.CheckConstraint(condition=models.Q(('lapsed_at__isnull', True), ('lapsed_at__gte', models.F('since')), _connector='OR'), name='waiver_counted_before_lapse')],
            },
        ),
    ]
