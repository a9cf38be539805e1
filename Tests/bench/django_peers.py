#!/usr/bin/env python3
"""Brings the rows of bulk-sync-bench into their table by a Django library, and prints the seconds that it took.

    django_peers.py (django-bulk-sync | django-bulk-load) DATABASE ROWS

For the optional part of the benchmark: needs Django, django-bulk-sync, django-bulk-load and psycopg2-binary from PyPI.
The connection is the one that PGHOST, PGPORT and PGUSER name.  The objects are made before the clock starts.
"""

import datetime
import os
import sys
import time

import django
from django.conf import settings


def configure(database):
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": database,
                "HOST": os.environ.get("PGHOST", ""),
                "PORT": os.environ.get("PGPORT", ""),
                "USER": os.environ.get("PGUSER", ""),
            }
        },
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


def make_model():
    from django.db import models

    class Price(models.Model):
        sku = models.TextField(primary_key=True)
        number = models.BigIntegerField()
        name = models.TextField()
        amount = models.FloatField()
        stock = models.IntegerField()
        changed_at = models.DateTimeField()

        class Meta:
            app_label = "bench"
            db_table = "price"
            managed = False

    return Price


def make_rows(model, count):
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
    return [
        model(
            sku=f"article-{i}",
            number=i,
            name=f"Article {i} of the catalogue",
            amount=(i * 37 % 100000) / 4,
            stock=i * 17 % 1000,
            changed_at=start + datetime.timedelta(seconds=i),
        )
        for i in range(1, count + 1)
    ]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    library, database, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    configure(database)
    model = make_model()
    rows = make_rows(model, count)
    from django.db import connection

    connection.ensure_connection()
    started = time.monotonic()
    if library == "django-bulk-sync":
        from bulk_sync import bulk_sync
        from django.db.models import Q

        bulk_sync(new_models=rows, key_fields=["sku"], filters=Q(), batch_size=100)
    elif library == "django-bulk-load":
        from django_bulk_load import bulk_upsert_models

        bulk_upsert_models(rows, pk_field_names=["sku"])
    else:
        sys.exit(__doc__)
    print(time.monotonic() - started)


if __name__ == "__main__":
    main()
