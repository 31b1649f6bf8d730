"""Receivers of alerts, a queue of them in a real database, a real Redis."""

from tests.support.notify.desk import desk, queue_database, web
from tests.support.notify.redis_server import make_redis, redis_client, redis_server

__all__ = ["desk", "make_redis", "queue_database", "redis_client", "redis_server", "web"]
