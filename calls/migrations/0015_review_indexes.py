"""The two indexes of the filter by review."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0014_review")]

    operations = [
        migrations.AddIndex(
            model_name="call",
            index=models.Index(
                condition=models.Q(("reviewed_at__isnull", False)), fields=["-id"], name="call_reviewed"
            ),
        ),
        migrations.AddIndex(
            model_name="call",
            index=models.Index(
                condition=models.Q(("reviewed_at__isnull", True)), fields=["-id"], name="call_not_reviewed"
            ),
        ),
    ]
