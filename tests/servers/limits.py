"""An application in this process whose limits are as low as a test needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.servers.api import Api
from tests.servers.settings import make_settings
from web.rate_limits import RateLimits


@contextmanager
def low_limits(api: Api, **most: int) -> Iterator[Api]:
    """`most`: the settings of the limits, by their names in the environment."""
    services, given = api.services, api.services.settings
    settings = make_settings(
        given.database_url.get_secret_value(),
        api.home.parent,
        REDIS_URL=given.redis_url.get_secret_value(),
        **most,
    )
    api.app.extensions["pressroom"] = replace(services, rates=RateLimits(settings))
    yield api
    api.app.extensions["pressroom"] = services
