# SPDX-License-Identifier: GPL-3.0-or-later
"""What the blog stores."""

from __future__ import annotations

from django.db import models


class Post(models.Model):
    """One post; the newest comes first."""

    title = models.CharField(max_length=200)
    body = models.TextField()
    published = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Order of lists."""

        ordering = ["-published", "-pk"]

    def __str__(self) -> str:
        return self.title
