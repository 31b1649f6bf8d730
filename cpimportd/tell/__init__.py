"""Tell: after COMMIT, whoever serves the books learns of it. What fails here never undoes an import."""

from cpimportd.tell.cache import Cleared, clear_cache, clear_once, count_cached
from cpimportd.tell.views import ALL_VIEWS, refresh_views

__all__ = ["ALL_VIEWS", "Cleared", "clear_cache", "clear_once", "count_cached", "refresh_views"]
