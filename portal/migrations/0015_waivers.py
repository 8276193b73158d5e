"""What is told of waivers."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0014_kept_in'),
    ]

    operations = [
        migrations.AlterField(
            model_name='notification',
            name='kind',
            field=models.CharField(choices=[('asked', 'asked to sign'), ('reminded', 'reminded'), ('escalated', 'escalated'), ('mentioned', 'mentioned'), ('said', 'said in a conversation'), ('lapsed', 'signature counts no more'), ('condition', 'condition'), ('waiver', 'waiver')], max_length=12),
        ),
    ]
