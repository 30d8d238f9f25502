"""The way to a server: past proxies that lead elsewhere, and in words why it does not go."""

from urllib.parse import urlsplit

import requests

from cli.failures import CliFailure, LineBroken
from cli.sign_in import is_local

_UNTRUSTED, _NO_TLS = "CERTIFICATE_VERIFY_FAILED", ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")


def proxies_for(url: str) -> dict[str, str]:
    """For `requests`: to this machine no proxy of the environment leads, and it would hear the key
    and whatever is sent."""
    return {"no_proxy": urlsplit(url).hostname or ""} if is_local(url) else {}


def describe_break(url: str, error: requests.RequestException) -> CliFailure:
    """`LineBroken` for what may go through later."""
    said = str(error).upper()
    if isinstance(error, requests.exceptions.SSLError) and _UNTRUSTED in said:
        return CliFailure(
            f"{url} has a certificate that is not trusted here: nothing was sent",
            hint="is it the right address? The certificate of an authority of your own goes into "
            "a file that REQUESTS_CA_BUNDLE names",
        )
    if isinstance(error, requests.exceptions.SSLError) and any(word in said for word in _NO_TLS):
        return CliFailure(f"{url} does not speak TLS: nothing was sent", hint="is it http://?")
    if isinstance(error, requests.exceptions.ProxyError):
        return LineBroken(
            f"The proxy of your environment does not lead to {url}",
            hint="look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
        )
    message = f"{url} cannot be reached, or the line broke"
    return LineBroken(message, hint="Is the server running, and the network up?")
